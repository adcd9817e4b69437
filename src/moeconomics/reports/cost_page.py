"""The report of one model's serving cost."""

from moeconomics.reports.interactivity import interactivity_figure
from moeconomics.reports.page import Chart, Number, Page, Table
from moeconomics.serving import Estimate, Frontier


def cost_page(found: Estimate, points: Frontier, model: str, where: str) -> Page:
    """An estimate and its operating points as a page; `where` names chip, format and engine."""
    best = points.best

    def number(label: str, name: str) -> Number:
        value, low, high = (getattr(found, name), found.band_low.get(name), found.band_high.get(name))
        interval = "no interval: the cost model gives none" if low is None else f"{low:.4g} to {high:.4g}"
        return Number(label=label, value="n/a" if value is None else f"{value:.4g}", interval=interval)

    return Page(
        title=f"Serving {model} on {where}",
        sentence=(
            f"A replica of {found.gpus} GPU{'s' if found.gpus > 1 else ''} (tp {found.tp}, ep {found.ep}, "
            f"pp {found.pp}, dp {found.dp}; {found.mode}) holds {found.batch} requests at once and costs "
            f"{found.usd_per_mtok_output:.3g} USD per million output tokens."
        ),
        details=(f"The batch is limited by {found.limited_by}.",),
        numbers=(
            number("USD per million output tokens, prompts included", "usd_per_mtok_output"),
            number("time per output token, ms", "tpot_ms"),
            number("output tokens/s per GPU", "output_tok_s_per_gpu"),
        ),
        charts=(
            Chart(
                figure=interactivity_figure(points, f"{model} on {where}: modelled"),
                words="Output tokens/s of a GPU against those of a user, for every layout and batch; the line joins "
                "the points that no other beats on both.",
            ),
        ),
        tables=(
            Table(
                title="The best operating points",
                note="Press a column's name to sort by it.",
                columns=(
                    "tokens/s per user",
                    "tokens/s per GPU",
                    "USD/Mtok output",
                    "batch",
                    "GPUs",
                    "parallel",
                    "mode",
                ),
                rows=[
                    [float(user), float(gpu), float(usd), int(batch), int(gpus), str(layout), str(mode)]
                    for user, gpu, usd, batch, gpus, layout, mode in zip(
                        points.tok_s_per_user[best],
                        points.tok_s_per_gpu[best],
                        points.usd_per_mtok_output[best],
                        points.batch[best],
                        points.gpus[best],
                        points.layout[best],
                        points.mode[best],
                        strict=True,
                    )
                ],
            ),
        ),
        provenance=found.provenance,
        warnings=found.warnings,
    )
