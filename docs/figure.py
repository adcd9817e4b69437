"""Draw the README's figure from the plan that `make plan` prints. Plotly's image export needs Chromium or Chrome."""

from pathlib import Path

from moeconomics import plan
from moeconomics.reports import drawn, loss_cost_figure

FILE = Path(__file__).parent / "figures" / "plan.svg"

answer = plan(train_flops=5.15e21, gpu="A100-SXM-40GB", max_gpus=8, experts=(1, 4, 8, 16, 32))
FILE.write_bytes(drawn(loss_cost_figure(answer), FILE))
