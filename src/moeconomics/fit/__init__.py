"""From a runs table to a law with intervals (a later issue).

In: a runs table and a law's form. Out: a fitted-law file (`laws.fitted`). Theory: Yun et al. 2024 App. D.
"""
