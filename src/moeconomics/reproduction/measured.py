"""A measured profile as a setting: the cost of models along the sizes that were measured, and of no other."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from moeconomics.errors import BadInput
from moeconomics.reproduction.setting import PAPERS_ARCHITECTURE, OfWidth
from moeconomics.serving import Deployment, Served, ServingInputs, cheapest, make_cost_model
from moeconomics.serving.profile_table import read_profile
from moeconomics.serving.profiled import PROFILE
from moeconomics.shapes import GroupedQuery, ModelShape
from moeconomics.shapes.huggingface import from_hf
from moeconomics.units import Array

SEARCHED = 8.0  # sizes are searched this many times below and above the measured widths; the cost there is not told


@dataclass(frozen=True, kw_only=True)
class Profiled(OfWidth):
    """The paper's architecture with depth and FFN width between those of the measured models, on one machine.

    Cost is in any unit: what the machine costs an hour scales every model's alike. Requests are those that the profile
    was measured under load with. Errors: `BadInput` for a file that is no profile, or has no dense models.
    """

    path: Path

    @property
    def name(self) -> str:
        """As `--cost-model` names it."""
        return f"{PROFILE}{self.path}"

    @property
    def priced(self) -> tuple[float, float]:
        """The measured widths."""
        return float(self._line["d_model"][0]), float(self._line["d_model"][-1])

    @property
    def sizes(self) -> tuple[float, float]:
        """Wide enough for the loss-optimal model not to be the one that happens to be priced."""
        return self.priced[0] / SEARCHED, self.priced[1] * SEARCHED

    @property
    def deployment(self) -> Deployment:
        """Of the chip only the price enters, and that in every cost alike."""
        loads = self._profile.filter(pl.col("kind") == "load").select("input_len", "output_len").unique()
        if loads.height != 1:
            raise BadInput(f"profile {self.path} was measured under {loads.height} kinds of load, not one")
        [(input_len, output_len)] = loads.rows()
        return ServingInputs(max_gpus=1, input_len=input_len, output_len=output_len).deployment()

    def shape(self, width: Array, experts: Array) -> ModelShape:
        """Layers, FFN and head widths linear between the measured models in the logarithms, constant beyond them."""
        width = np.asarray(width, dtype=float)
        layers, d_ff, head_dim = (
            np.exp(np.interp(np.log(width), np.log(self._line["d_model"]), np.log(values)))
            for values in (self._line["n_layers"], self._line["d_ff"] / self._line["d_model"], self._line["head_dim"])
        )
        return PAPERS_ARCHITECTURE.shape(
            vocab_size=int(self._line["vocab_size"][0]),
            d_model=width,
            n_layers=layers,
            d_ff=d_ff * width,
            head_dim=head_dim,
            experts=np.asarray(experts),
        )

    def served(self, shape: ModelShape) -> Served:
        """On the machine that was measured."""
        return cheapest(make_cost_model(self.name, self.deployment), shape, (1,))

    @cached_property
    def _profile(self) -> pl.DataFrame:
        return read_profile(self.path)

    @cached_property
    def _line(self) -> dict[str, Array]:
        """Dimensions of the dense models, by width."""
        rows = self._profile.filter((pl.col("n_experts") == 1) & pl.col("config").is_not_null())
        rows = rows.unique("config").sort("d_model")
        if rows["d_model"].n_unique() < max(rows.height, 2):
            raise BadInput(f"profile {self.path} has no dense models of two widths or more, one of each")
        shapes = [from_hf(json.loads(text)) for text in rows["config"]]
        heads = [float(shape.attention.head_dim) for shape in shapes if isinstance(shape.attention, GroupedQuery)]
        if len(heads) < len(shapes):
            raise BadInput(f"profile {self.path} is of models with latent attention, not of the paper's architecture")
        return {
            "head_dim": np.array(heads),
            **{
                name: np.array([float(getattr(shape, name)) for shape in shapes])
                for name in ("d_model", "n_layers", "d_ff", "vocab_size")
            },
        }
