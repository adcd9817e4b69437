"""A grid of training runs (a later issue).

In: a grid of sizes, experts and tokens. Out: one runs table. Theory: Yun et al. 2024 §3.1.
"""
