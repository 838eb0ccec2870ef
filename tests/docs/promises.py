"""What our pages promise, and the tests that prove it (tests/promises.toml).

Decides what counts as one promise: a sentence of SECURITY.md, a row of a table of the pages for
administrators. Each is named by one entry of the file: with tests that prove it, or with a reason
why it promises nothing. So a new sentence without an entry is noticed, and an entry whose sentence
was reworded too. docs/generate.py makes docs/promises.md of it, tests/docs/test_promises.py
compares.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.docs.records import ROOT, RecordError, line, texts

FILE = ROOT / "tests" / "promises.toml"
PROSE = ("SECURITY.md",)
"""Pages of which every sentence has an entry, and every row of every table."""
TABLES = ("docs/host.md", "docs/client.md", "docs/publisher.md")
"""Pages of which every row of every table has an entry."""

_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_ITEM = re.compile(r"\s*(?:-|[0-9]+\.) ")
_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z0-9*`])")
_RULE = re.compile(r"[|\s:-]+")
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, or a row of a table with ` | ` between its cells; `head` is the table's first
    row, "" for a sentence."""

    page: str
    heading: str
    head: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the file says of one unit, or (`table`) of all rows below one head.

    `tests` prove it; where there are none, `why` tells why it promises nothing.
    """

    page: str
    says: str
    table: bool
    tests: tuple[str, ...]
    why: str

    def names(self, unit: Unit) -> bool:
        """Whether this entry is about a unit; a text that ends in `…` is a beginning."""
        if self.page != unit.page or (self.table and not unit.head):
            return False
        text = unit.head if self.table else unit.text
        if self.says.endswith("…"):
            return text.startswith(self.says.removesuffix("…"))
        return text == self.says


def plain(text: str) -> str:
    """A text without links, bold marks and line ends."""
    return re.sub(r"\s+", " ", _LINK.sub(r"\1", text).replace("**", "")).strip()


def units(page: str, text: str, *, prose: bool) -> list[Unit]:
    """The units of a page, in order.

    Args:
        page: its path from the root. text: its Markdown. prose: sentences too, not only tables.
    """
    found: list[Unit] = []
    heading = head = ""
    waiting: list[str] = []

    def end_of_paragraph() -> None:
        if waiting and prose:
            sentences = _END.split(plain(" ".join(waiting)))
            found.extend(Unit(page, heading, "", one) for one in sentences)
        waiting.clear()

    for each in _FENCE.sub("", text).split("\n"):
        if each.startswith("|"):
            end_of_paragraph()
            if _RULE.fullmatch(each):
                continue
            cells = " | ".join(plain(cell) for cell in _BAR.split(each.strip())[1:-1])
            cells = cells.removeprefix(" | ")
            if head:
                found.append(Unit(page, heading, head, cells))
            else:
                head = cells
            continue
        head = ""
        if each.startswith("#"):
            end_of_paragraph()
            heading = plain(each.lstrip("#"))
            continue
        item = _ITEM.match(each)
        if item or not each.strip():
            end_of_paragraph()
        waiting += [each[item.end() :] if item else each] if each.strip() else []
    end_of_paragraph()
    return found


def all_units(root: Path = ROOT) -> list[Unit]:
    """The units of every page that promises something."""
    return [
        unit
        for page in (*PROSE, *TABLES)
        for unit in units(page, (root / page).read_text(encoding="utf-8"), prose=page in PROSE)
    ]


def entries(path: Path = FILE) -> list[Entry]:
    """The entries of the file.

    Raises:
        RecordError: it is no TOML, or an entry has other members than its kind.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as fault:
        raise RecordError(f"{path.name}: {fault}") from None
    found: list[Entry] = []
    for kind, rows in document.items():
        proof = {"promise": "tests", "explanation": "why"}.get(kind)
        if proof is None or not isinstance(rows, list):
            raise RecordError(f"{path.name}: [[promise]] and [[explanation]] may stand here")
        for number, row in enumerate(rows, 1):
            where = f"{path.name}, {kind} {number}"
            name = "table" if isinstance(row, dict) and "table" in row else "says"
            if not isinstance(row, dict) or set(row) != {"page", name, proof}:
                raise RecordError(f"{where}: page, says (or table) and {proof} are wanted")
            found.append(
                Entry(
                    page=line(row["page"], where),
                    says=line(row[name], where),
                    table=name == "table",
                    tests=texts(row["tests"], where) if proof == "tests" else (),
                    why=line(row["why"], where) if proof == "why" else "",
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class Judged:
    """The units with their one entry each, and what is wrong with the rest."""

    pairs: tuple[tuple[Unit, Entry], ...]
    wrong: tuple[str, ...]


def judge(found: list[Unit], known: list[Entry]) -> Judged:
    """Match units and entries: each unit has exactly one, each entry is about something."""
    pairs: list[tuple[Unit, Entry]] = []
    wrong: list[str] = []
    used: set[int] = set()
    for unit in found:
        fits = [number for number, entry in enumerate(known) if entry.names(unit)]
        own = [number for number in fits if not known[number].table]
        fits = own or fits  # a row of its own goes before its whole table
        used.update(fits)
        if len(fits) == 1:
            pairs.append((unit, known[fits[0]]))
        elif fits:
            wrong.append(f"{unit.page}: {len(fits)} entries are about: {unit.text}")
        else:
            wrong.append(f"{unit.page}: no entry is about: {unit.text}")
    for number, entry in enumerate(known):
        if number not in used:
            wrong.append(f"{entry.page}: nothing there says: {entry.says}")
    return Judged(tuple(pairs), tuple(wrong))
