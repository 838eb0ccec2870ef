"""docs/from-kms.md and `muster slmgr` agree: each option, and why one is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.host import HOST
from muster.cli.slmgr.words import REFUSED, Word

PAGE = Path(__file__).parents[2] / "docs" / "from-kms.md"


def rows(title: str) -> list[tuple[str, ...]]:
    """The rows of the first table below a heading, cell by cell."""
    part = PAGE.read_text(encoding="utf-8").split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    table = re.search(r"^\|.*?(?=^[^|]|\Z)", part, re.MULTILINE | re.DOTALL)
    assert table is not None
    lines = table[0].strip().splitlines()[2:]
    return [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines]


@pytest.mark.parametrize(
    ("title", "words"), [("Options on a client", CLIENT), ("Options on a host", HOST)]
)
def test_each_option_is_told_as_the_program_has_it(title: str, words: dict[str, Word]) -> None:
    wanted = [(f"{word} {takes}".strip(), text) for word, (takes, text, _) in words.items()]
    shown = [(cells[0].strip("`").replace("\\|", "|"), cells[1]) for cells in rows(title)]
    assert shown == wanted


def test_what_is_not_there_is_told_as_the_program_refuses_it() -> None:
    assert rows("Options that are not here") == [
        (f"`{word}`", why, instead) for word, (why, instead) in REFUSED.items()
    ]
