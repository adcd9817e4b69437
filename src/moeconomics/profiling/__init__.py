"""Measure a real engine: vLLM started here, or a running OpenAI-compatible server.

In: shapes, which get dummy weights, and a grid of batches and contexts. Out: the table of latencies that the cost model
`profile:FILE` of `serving` reads. Or a trained checkpoint in, its throughput at saturation out. Theory: Yun et al. 2024
(arXiv 2404.02852) §4, L^P and L^D over batch and size.
"""

from moeconomics.profiling.endpoint import profile_endpoint
from moeconomics.profiling.engine import measure_load, profile_vllm
from moeconomics.profiling.grid import Grid, Model, read_models

__all__ = ["Grid", "Model", "measure_load", "profile_endpoint", "profile_vllm", "read_models"]
