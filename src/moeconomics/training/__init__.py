"""One specification to one training run (a later issue).

In: a shape, data and a recipe. Out: a checkpoint and a row of the runs table. Theory: Yun et al. 2024 §3.1.
"""
