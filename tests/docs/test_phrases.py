"""Texts for people use the words of the field: a short list of phrases stays out of them.

The phrases are those at which readers stumbled. Checked are the rows of the catalogue, the help of
every command and option, every text and docstring of the source, which is also what commands print,
and the pages; prose only, for code and tables of tests name what exists.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.docs.test_words import FENCE, ROOT, documents, everything, name

from muster.core.catalogue import CATALOGUE

PHRASES = {
    r"licence papers?": "licence documents",
    r"draws? nothing": "uses no activation",
    r"does not hold(?= \(|[.:;,])": "is not valid",
    r"(?:sums?|signatures?|chains?|logs?) (?:does|do) not hold": "is not valid, is not right",
    r"doors?(?!:)": "channel, service",
    r"shall": "must, should",
    r"look into the log": "check the log",
    r"met an error of its own": "an internal error, SERVFAIL",
    r"hold together": "is intact",
    r"mend(?:s|ed|ing)?": "fix, repair",
    r"lies? (?:in|on|at|under|elsewhere)": "is in, is stored in",
    r"stands? (?:in|at|on|under|there|twice)": "is in",
    r"by the words of": "compatible with",
    r"which of both": "which of the two",
    r"by TLS": "over TLS",
    r"(?:the|a|its|below) need(?= (?:of|is)\b|[.,;])": "threshold",
}
SEEN = {
    phrase: re.compile(
        rf"\b{phrase}\b" if phrase[-1] not in ")]" else rf"\b{phrase}", re.IGNORECASE
    )
    for phrase in PHRASES
}
SOURCE = ROOT / "src" / "muster"
SPARED = {"CHANGELOG.md", "docs/faults.md", "docs/promises.md"}
"""What was written at its time, or is made of the names of tests."""


CODES = {"host:clock:mend"}
"""Values that were published and are never reworded."""


def worst(text: str) -> list[str]:
    """The phrases of the list that a text has."""
    return [phrase for phrase, pattern in SEEN.items() if pattern.search(text)]


def prose(text: str) -> str:
    """A page without blocks and words of code."""
    return re.sub(r"`[^`\n]*`", "``", FENCE.sub("", text))


def helps() -> Iterator[tuple[str, str]]:
    """The help of every command and of each of its options, by the words that call it."""
    for words, command in everything().items():
        yield words, command.help or ""
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield f"{words} {parameter.opts[0]}", parameter.help or ""


def pages() -> list[Path]:
    """All pages but decisions, which stay as they were taken."""
    return [
        page
        for page in documents()
        if name(page) not in SPARED and (ROOT / "docs" / "adr") not in page.parents
    ]


def test_the_list_finds_its_phrases() -> None:
    text = "The key stands in the store. Mend it; the signature does not hold."
    assert len(worst(text)) == 4
    assert worst("A mandate; shallow; it amends nothing, understands in part, and holds.") == []
    assert prose("`mend` the\n```\nmend\n```\nrest").split() == ["``", "the", "rest"]


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_errors_use_the_words_of_the_field(code: str) -> None:
    row = CATALOGUE[code]
    assert not [text for text in (row.what, row.why, row.fix) if worst(text)]


def test_commands_use_the_words_of_the_field() -> None:
    assert not [(words, worst(text)) for words, text in helps() if worst(text)]


@pytest.mark.parametrize("page", pages(), ids=name)
def test_pages_use_the_words_of_the_field(page: Path) -> None:
    text = prose(page.read_text(encoding="utf-8"))
    assert not [line for line in text.splitlines() if worst(line)]


@pytest.mark.parametrize("room", sorted(path.name for path in SOURCE.iterdir() if path.is_dir()))
def test_texts_of_the_source_use_the_words_of_the_field(room: str) -> None:
    found = []
    for path in sorted((SOURCE / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines = prose(node.value).splitlines()
                found += [
                    f"{path.relative_to(SOURCE)}:{node.lineno}: {line.strip()}"
                    for line in lines
                    if worst(line) and line not in CODES
                ]
    assert not found
