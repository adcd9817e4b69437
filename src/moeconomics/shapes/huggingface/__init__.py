"""Hugging Face configs in and out.

In: a `config.json` (dict, path or folder), or a planned `ModelShape`. Out: the shape, or a config that `AutoConfig`
accepts. Theory: none; `transformers` is the judge: both directions give the integer count of the model it builds.
"""

from moeconomics.shapes.huggingface.reading import HF_FAMILIES, from_hf
from moeconomics.shapes.huggingface.writing import to_hf

__all__ = ["HF_FAMILIES", "from_hf", "to_hf"]
