"""Pages of the site that are not files in docs/: the reference, the studies and the changelog.

A hook of MkDocs, which calls the `on_` functions (mkdocs.yml). What is written here is not kept in the repository.
"""

import re
from pathlib import Path
from posixpath import relpath
from typing import Any

import griffe
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from moeconomics.cli import app

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "moeconomics"
EXAMPLE = re.compile(r"`(moeconomics [^`]+)`")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")

# In the order of the package's docstring would be nicer, but a list here would forget a new room.
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py") if "__all__" in path.read_text("utf-8"))
STUDIES = sorted((ROOT / "studies").glob("*/README.md"))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the sections of the navigation that mkdocs.yml leaves to this file."""
    made = {
        "Studies": [{_title(path): f"studies/{path.parent.name}/README.md"} for path in STUDIES],
        "Commands": [{name: f"reference/cli/{_slug(name)}.md"} for name in commands()],
        "Python": [{f"moeconomics.{room}": f"reference/python/{room}.md"} for room in ROOMS],
    }
    for entry in config.nav or []:
        for title, pages in entry.items() if isinstance(entry, dict) else ():
            if title in made:
                pages.extend(made[title])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the files that the studies' pages show."""

    def add(path: str, content: str | Path) -> None:
        where = {"abs_src_path": str(content)} if isinstance(content, Path) else {"content": content}
        files.append(File.generated(config, path, **where))

    add("changelog.md", ROOT / "CHANGELOG.md")
    add("studies/index.md", studies_page())
    for path in STUDIES:
        add(f"studies/{path.parent.name}/README.md", path)
        for *_, target, _ in LINK.findall(path.read_text("utf-8")):
            shown = path.parent / target
            if shown.is_file() and shown.parent == path.parent and shown != path:
                add(f"studies/{path.parent.name}/{target}", shown)
    add("reference/cli/index.md", commands_page())
    for name, command in commands().items():
        add(f"reference/cli/{_slug(name)}.md", command_page(name, command))
    add("reference/python/index.md", "# Python\n\n::: moeconomics\n")
    for room in ROOMS:
        add(f"reference/python/{room}.md", f"# moeconomics.{room}\n\n::: moeconomics.{room}\n")
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Turn links between files of the repository into links between pages; what has no page stays as words."""
    source = page.file.abs_src_path
    if source is None:
        return markdown
    folder, here = Path(source).parent, page.file.src_uri

    def turn(found: re.Match[str]) -> str:
        image, words, target, anchor = found.groups()
        if ":" in target:
            return found[0]
        path = (folder / target).resolve()
        there = _page_of(path)
        if path.is_file() and there in files.src_uris:
            return f"{image}[{words}]({relpath(there, Path(here).parent.as_posix())}{anchor or ''})"
        return words if path.exists() else found[0]

    return LINK.sub(turn, markdown)


def _page_of(path: Path) -> str:
    if not path.is_relative_to(ROOT):
        return ""
    own = path.relative_to(ROOT).as_posix()
    return {"CHANGELOG.md": "changelog.md", "README.md": "index.md"}.get(own, own.removeprefix("docs/"))


def studies_page() -> str:
    """A line for each study."""
    lines = [f"- [{_title(path)}]({path.parent.name}/README.md)" for path in STUDIES]
    return "\n".join(
        [
            "# Studies",
            "",
            "Measurements made for this project. Each page is written by the `report.py` of its folder in `studies/`,",
            "where the data is, and says how to make it again.",
            "",
            *lines,
            "",
        ]
    )


def commands() -> dict[str, Any]:
    """Each command of the program by its words after `moeconomics`, those of groups too."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found.update({f"{name} {own}": one for own, one in inner.items()} if inner else {name: command})
    return found


def commands_page() -> str:
    """All commands with their first sentence."""
    rows = [f"| [{name}]({_slug(name)}.md) | {_first_sentence(one)} |" for name, one in commands().items()]
    return "\n".join(
        [
            "# Commands",
            "",
            "What `moeconomics COMMAND --help` prints, written by the program. Exit codes: 0 an answer, 2 bad input,",
            "3 a question without an answer, with the constraint that binds.",
            "",
            "| command |  |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def command_page(name: str, command: Any) -> str:
    """One command: usage, help, and a table for each panel of options."""
    context = typer.Context(command, info_name=f"moeconomics {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"# {name}", "", "```text", f"moeconomics {name} {usage}", "```", "", _with_blocks(command.help or ""), ""]
    panels: dict[str, list[str]] = {}
    for one in command.params:
        record = one.get_help_record(context)
        if record and one.name != "help":
            argument = one.param_type_name == "argument"
            panel = one.rich_help_panel or ("Arguments" if argument else "Options")
            panels.setdefault(panel, []).append(_row(record[0].split()[0] if argument else record[0], record[1]))
    for panel in sorted(panels, key=lambda title: title != "Arguments"):
        lines += [f"## {panel}", "", "| | | default |", "|---|---|---|", *panels[panel], ""]
    return "\n".join(lines)


def _row(name: str, words: str) -> str:
    """A row of a panel from the words of `--help`, whose brackets hold the default."""
    found = re.fullmatch(r"(.*?)((?:\s*\[[^\[\]]*\])*)", words, flags=re.DOTALL)
    assert found is not None  # both groups may be empty
    default = "; ".join(re.findall(r"\[([^\]]*)\]", found[2])).replace("default: ", "")
    return f"| `{name}` | {found[1]} | {default} |"


def _with_blocks(words: str) -> str:
    """Help whose examples can be copied."""
    before, example, after = words.partition("Example")
    after = re.sub(rf"\s*{EXAMPLE.pattern}[,.]?\s*", r"\n\n```console\n$ \1\n```\n\n", after)
    return before + example + after


def _first_sentence(command: Any) -> str:
    return (command.help or "").split("\n\n")[0].replace("\n", " ")


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _title(path: Path) -> str:
    return path.read_text("utf-8").splitlines()[0].removeprefix("# ")


class Docstrings(griffe.Extension):
    """Our docstrings as Markdown: doctests are code, the `*` of a formula stays, pydantic's fields are listed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the fields of a class that pydantic reads: it has no signature that can be seen without running it."""
        if cls.docstring and {str(base) for base in cls.bases} & {"BaseModel", "Strict", "ServingInputs"}:
            fields = [
                f"{one.name}: {one.annotation}" + (f" = {one.value}" if one.value else "")
                for one in cls.attributes.values()
                if one.annotation
            ]
            cls.docstring.value += "\n\n```python\n" + "\n".join(fields) + "\n```"


def as_markdown(text: str) -> str:
    r"""Fence doctests and escape asterisks outside code.

    >>> as_markdown("R* in `a*b`\n\n>>> 1 + 1\n2")
    'R\\* in `a*b`\n\n```pycon\n>>> 1 + 1\n2\n```'
    """
    parts = []
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.splitlines()
        if lines and lines[0].lstrip().startswith(">>> "):
            indent = len(lines[0]) - len(lines[0].lstrip())
            parts.append("\n".join(["```pycon", *(line[indent:] for line in lines), "```"]))
        else:
            parts.append(re.sub(r"(`[^`]*`)|\*", lambda found: found[1] or r"\*", block))
    return "\n\n".join(parts)
