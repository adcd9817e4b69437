"""The cost models by name: those of this package and a user's own (entry points)."""

from pathlib import Path

from moeconomics.errors import unknown_name
from moeconomics.plugins import installed
from moeconomics.serving.deployment import Deployment
from moeconomics.serving.operator_cost import OperatorCost
from moeconomics.serving.paper import PaperCost
from moeconomics.serving.profiled import PROFILE, ProfiledCost
from moeconomics.serving.served import CostModel, CostModelMaker
from moeconomics.serving.size import SizeCost

DEFAULT_COST_MODEL = "operator"


def make_cost_model(name: str, deployment: Deployment) -> CostModel:
    """Make the cost model `name` for a deployment. Errors: `BadInput` with the nearest known name."""
    if name.startswith(PROFILE):
        return ProfiledCost.of(Path(name.removeprefix(PROFILE)), deployment)
    own: dict[str, CostModelMaker] = {
        "operator": OperatorCost.of,
        "paper": PaperCost.roofline,
        "size": SizeCost.of,
    }
    makers: dict[str, CostModelMaker] = own | installed("moeconomics.cost_models", CostModelMaker, taken=own)
    if name not in makers:
        raise unknown_name("cost model", name, makers)
    return makers[name](deployment)
