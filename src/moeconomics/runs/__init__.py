"""The table of measured training runs (a later issue).

In: CSV, parquet, W&B and MLflow exports. Out: one tidy table with provenance. Theory: shapes.
"""
