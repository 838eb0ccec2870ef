"""Documents claim only what is built.

Every `muster …` that a document or an error's fix tells people to type is looked up in the tree of
commands: each word is a command, each option is one of its options. The page of commands
(docs/cli.md) names every command and option that exists, and no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from muster.cli.main import muster
from muster.core.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

SPOKEN = re.compile(r"(?:`|'|\$ |# |&& )(muster(?: [^`'\n]*)?)(?=[`'\n])")
LINE = re.compile(r"^(?:\$ |# )?(?:[A-Z_]+=\S+ )*(muster [^\n]*)$", re.MULTILINE)
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
END = {"|", "||", "&&", ";", ">", ">>", "<", "&"}


def documents() -> list[Path]:
    """All documents of the repository, in a stable order."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def name(path: Path) -> str:
    """A document's path from the root, as the name of its test."""
    return path.relative_to(ROOT).as_posix()


def tree(context: click.Context) -> Iterator[click.Context]:
    """The contexts of a command and of all below it, groups included."""
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for word in group.list_commands(context):
            below = group.get_command(context, word)
            assert below is not None, word
            yield from tree(click.Context(below, parent=context, info_name=word))


def everything() -> dict[str, click.Command]:
    """Every command by the words that call it."""
    top = click.Context(muster, info_name="muster")
    return {context.command_path: context.command for context in tree(top)}


def options(command: click.Command) -> set[str]:
    """Every spelling of every option of a command."""
    context = click.Context(command, help_option_names=["-h", "--help"])
    return {
        spelling
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }


def spoken(text: str) -> list[str]:
    """Command lines that a text tells somebody to type."""
    blocks = "\n".join(FENCE.findall(text))
    joined = re.sub(r"\\\n\s*", " ", blocks)
    prose = FENCE.sub("", text)
    return [found.strip() for found in (*SPOKEN.findall(prose), *LINE.findall(joined))]


def unknown(line: str) -> str | None:
    """The first word of a command line that does not exist, or None."""
    words = line.split()[1:]
    command: click.Command = muster
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        word = words.pop(0).rstrip(".,:;)")
        if word in {"…", "..."} or word in END:
            return None
        below = command.get_command(click.Context(command), word)
        if below is None:
            return word
        command = below
    known = options(command)
    listed = (command.epilog or "").split()  # where slmgr lists its words
    for word in words:
        if word in END or word.startswith("#"):
            break
        spelling = word.strip("[]().,:;").partition("=")[0]
        if listed and re.fullmatch(r"/[a-z-]+", spelling) and spelling not in listed:
            return spelling
        if spelling.startswith("-") and spelling.strip("-") and spelling not in known:
            return spelling
    return None


def test_the_finder_finds() -> None:
    """What is not there is noticed: the check itself is checked."""
    text = "say `muster nonsense`, then\n\n```sh\n$ muster demo --nonsense \\\n    --json\n```\n"
    assert spoken(text) == ["muster nonsense", "muster demo --nonsense  --json"]
    assert [unknown(line) for line in spoken(text)] == ["nonsense", "--nonsense"]
    assert unknown("muster demo --json | less -R") is None
    assert unknown("muster slmgr /dlv") is None
    assert unknown("muster slmgr /nonsense") == "/nonsense"


@pytest.mark.parametrize("path", documents(), ids=name)
def test_documents_name_only_commands_that_exist(path: Path) -> None:
    if path == DOCS / "cli.md":
        return  # usage lines, made from the tree itself; the next test compares them
    lines = spoken(path.read_text(encoding="utf-8"))
    assert not [(line, unknown(line)) for line in lines if unknown(line)]


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_errors_name_only_commands_that_exist(code: str) -> None:
    row = CATALOGUE[code]
    lines = [line for text in (row.what, row.why, row.fix) for line in spoken(text + "\n")]
    assert not [(line, unknown(line)) for line in lines if unknown(line)]


def test_the_page_of_commands_is_complete() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    parts = re.split(r"^#{2,4} `(muster[^`]*)`$", page, flags=re.MULTILINE)[1:]
    commands = everything()
    assert sorted(parts[::2]) == sorted(commands)
    everywhere = {"-h", "--help", "--json"}
    for words, part in zip(parts[::2], parts[1::2], strict=True):
        cells = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", part, re.MULTILINE)
        shown = {spelling for cell in cells for spelling in re.findall(r"`([^`]+)`", cell)}
        assert shown == options(commands[words]) - everywhere, words


def test_every_command_does_what_the_page_says_of_all() -> None:
    for words, command in everything().items():
        assert (command.help or "").strip(), f"{words} does not say what it does"
        known = options(command)
        assert "--help" in known, words
        assert isinstance(command, click.Group) or "--json" in known, words
