"""Measure a real engine: vLLM started here on dummy weights, or a running OpenAI-compatible server.

In: shapes and a grid of batches and contexts. Out: the table of latencies that the cost model `profile:FILE` of
`serving` reads. Theory: Yun et al. 2024 (arXiv 2404.02852) §4, L^P and L^D over batch and size.
"""

from moeconomics.profiling.endpoint import profile_endpoint
from moeconomics.profiling.engine import profile_vllm
from moeconomics.profiling.grid import Grid, Model, read_models

__all__ = ["Grid", "Model", "profile_endpoint", "profile_vllm", "read_models"]
