"""`moeconomics laws`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from moeconomics.cli import options
from moeconomics.cli.output import print_json, say, table
from moeconomics.laws import DEFAULT_LAW, Law, get_law, known_laws
from moeconomics.laws.variables import DENSE_ONLY, VARIABLES
from moeconomics.units import count_text


def laws(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE.json]", help="One law in full.", show_default=False)
    ] = None,
    json: options.Json = False,
) -> None:
    """List the loss laws, or show one: formula, coefficients, what its N means, domain, source.

    Example: `moeconomics laws joint2025`
    """
    if name is not None:
        law = get_law(name)
        if json:
            print_json(_plain(law))
        else:
            _print_one(law)
        return
    known = known_laws()
    if json:
        print_json([_plain(law) for law in known.values()])
        return
    rows = [
        [law.name + (" (default)" if law.name == DEFAULT_LAW else ""), ", ".join(law.variables), _only(law), law.source]
        for law in known.values()
    ]
    table("Loss laws", ["law", "variables", "only", "source"], rows, text_columns=4)
    say("\nShow one: `moeconomics laws NAME`. Losses of different laws are of different texts: not comparable.")


def _only(law: Law) -> str:
    if None in law.coefficients.values():
        return "needs a fitted file"
    if law.fixed == DENSE_ONLY:
        return "dense models"
    return ", ".join(f"{name} = {count_text(value)}" for name, value in law.fixed.items())


def _print_one(law: Law) -> None:
    say(f"{law.name}: {law.formula}", "bold")
    say(f"{law.source}\nPredicts: {law.predicts} ({law.loss_unit}). Fit: {law.fit_error}.\n")
    rows = [
        [name, VARIABLES[name].meaning, *(map(count_text, law.domain[name]) if name in law.domain else ("n/a", "n/a"))]
        for name in dict.fromkeys([*law.variables, *law.domain])
    ]
    table("Variables and the data's domain", ["name", "meaning", "from", "to"], rows, text_columns=2)
    coefficients = [
        [name, "not printed" if value is None else f"{value:.10g}"] for name, value in law.coefficients.items()
    ]
    say("")
    table("Coefficients", ["name", "value"], coefficients)
    if law.family:
        kinds = "; ".join(f"{name} {' or '.join(f'{v:g}' for v in values)}" for name, values in law.family.items())
        say(f"\nArchitecture it was fitted on: {kinds}")
    if law.fixed:
        say(f"\nAnswers only for {_only(law)}: nothing else was in its data.")


def _plain(law: Law) -> dict[str, Any]:
    keys = ("name", "formula", "variables", "coefficients", "domain", "fixed", "family", "predicts", "source")
    values = asdict(law)
    return {key: values[key] for key in (*keys, "loss_unit", "fit_error")}
