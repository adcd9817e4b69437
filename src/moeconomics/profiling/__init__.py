"""Measure a real serving engine (a later issue).

In: shapes and an engine. Out: a latency profile that `serving` can use. Theory: Yun et al. 2024 §4.
"""
