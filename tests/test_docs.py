"""Every command and every Python block of README and docs runs as written."""

import doctest
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from moeconomics.cli import app
from moeconomics.laws import known_laws
from moeconomics.units import count_text

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
PROGRAM = Path(sys.executable).parent / "moeconomics"
# A toy of a sweep takes three times as long when its layers are compiled.
ENVIRONMENT = {**os.environ, "TORCHDYNAMO_DISABLE": "1"}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def write_examples(page: Path, folder: Path) -> None:
    """The files that a page's commands read, from its own YAML, JSON, CSV and JSON-lines blocks."""
    for text in blocks(page, "yaml"):
        name = text.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(text, encoding="utf-8")
    for language, name in (("json", "my-law.json"), ("csv", "sweep.csv"), ("jsonl", "wandb.jsonl")):
        for text in blocks(page, language):
            (folder / name).write_text(text, encoding="utf-8")


def printed(text: str) -> list[str]:
    """Lines with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_run(page, tmp_path):
    """All end well, and each line of a text block that follows them is one that they print."""
    write_examples(page, tmp_path)
    content = page.read_text(encoding="utf-8")
    for block, shown in re.findall(r"```console\n(.*?)```(?:\n\n```text\n(.*?)```)?", content, flags=re.DOTALL):
        answers = []
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "))
            assert words[0] == "moeconomics"
            done = subprocess.run(
                [PROGRAM, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False, env=ENVIRONMENT
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            assert done.stdout.strip()
            answers += printed(done.stdout)
        for line in printed(shown):
            assert line in answers


def parse(line: str) -> None:
    """Read a command line as the program does, and run nothing. Raises where it would be refused."""
    _, *words = shlex.split(line)
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("moeconomics", words)


@pytest.fixture(scope="module")
def site():
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "tools" / "docs_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_that_are_only_shown_are_ones_that_exist(site):
    """Those that need a GPU, vLLM or a cluster, and the examples of every --help."""
    shown = [text for page in PAGES for text in blocks(page, "text")]
    helped = [command.help for command in site.commands().values()]
    lines = [
        line for text in shown for line in text.replace("\\\n", " ").splitlines() if line.startswith("moeconomics ")
    ]
    examples = [line for text in helped for line in site.EXAMPLE.findall(text.partition("Example")[2])]
    assert len(lines) > 5
    assert len(examples) >= len(site.commands())
    for line in lines + examples:
        parse(line)


def test_the_reference_has_every_command_option_and_room(site):
    assert not doctest.testmod(site).failed
    for name, command in site.commands().items():
        page = site.command_page(name, command)
        for one in command.params:
            for option in one.opts if one.param_type_name == "option" else ():
                assert option in page or option == "--help"
    assert {"laws", "serving", "planning", "fit"} <= set(site.ROOMS)


def test_the_table_of_laws_is_what_the_laws_say():
    def reach(law, *names):
        for name in names:
            if name in law.domain:
                low, high = law.domain[name]
                words = f"{count_text(low)} to {count_text(high)}" if low else f"up to {count_text(high)}"
                return f"K/E {words}" if name == "expert_share" else words
        return "not known"

    def row(law):
        where = {(1,): "every layer", (2,): "every 2nd layer"}.get(law.family.get("moe_every"))
        kind = f"top-{law.family['top_k'][0]}, {where}" if where else "not known"
        interval = "of your fit" if None in law.coefficients.values() else "no" if law.draws is None else "yes"
        cells = [
            f"`{law.name}`",
            ", ".join(f"`{name}`" for name in law.variables),
            str(len(law.coefficients)),
            reach(law, *(name for name in law.variables if name.startswith("n_"))),
            reach(law, "experts", "expert_share"),
            reach(law, "tokens"),
            kind,
            interval,
        ]
        return f"| {' | '.join(cells)} |"

    able = [law for law in known_laws().values() if "tokens" in law.variables and not law.fixed]
    page = (DOCS / "how-to" / "choose-a-law.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if re.match(r"\| `\S+` \| `n_", line)] == [row(law) for law in able]


QUOTED = {  # page → claim of docs/reproduction.md, and what it says that some laws or cost models say of it
    "choose-a-law.md": (
        "flops-4-over-32",
        ("joint2025 2.15 to 2.19", "abnar2025 2.76 to 3.31", "zhao2025 5.15 to 8.26"),
    ),
    "choose-a-cost-model.md": ("cost-32-over-16", ("size 1.1 to 1.21", "operator on H100-SXM-80GB 0.694 to 0.776")),
}


@pytest.mark.parametrize("name", QUOTED)
def test_figures_that_a_page_quotes_are_those_of_the_written_pages(name):
    page = " ".join((DOCS / "how-to" / name).read_text(encoding="utf-8").split())
    sources = (DOCS / "accuracy.md", DOCS / "reproduction.md", ROOT / "studies" / "cpu-vllm-profile" / "README.md")
    written = "".join(source.read_text(encoding="utf-8") for source in sources)
    for figure in re.findall(r"[\d.]+%", page):
        assert figure in written, figure
    claim, figures = QUOTED[name]
    told = said_by_part((DOCS / "reproduction.md").read_text(encoding="utf-8"), claim)
    for figure in figures:
        assert figure in page
        assert figure in told


def said_by_part(page: str, claim: str) -> set[str]:
    """Law or cost model, and the range that the tables of the page have for it."""
    found, head = set(), [""]
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        head = cells if cells[:2] == ["claim", "paper"] else head
        if cells[0] == claim:
            found |= {f"{name} {cell.partition(' (')[0]}" for name, cell in zip(head[2:], cells[2:], strict=True)}
    return found


def test_readme_python_runs(capsys):
    [block] = blocks(ROOT / "README.md", "python")
    exec(compile(block, "README.md", "exec"), {})
    assert "Train the" in capsys.readouterr().out


def test_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_makefile_has_the_commands_of_the_readme():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("plan", "test"):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
