"""Inventories as comma-separated values: of spreadsheets, of other managers, of `host clients`.

Decides which column says what, by the names that such files have, and which cells say nothing.
Refuses to know where a file is. A file without a known heading is a list of names, the first cell
of each line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from muster.core.catalogue import error
from muster.core.values import dataclass
from muster.manager.listing import Collector
from muster.manager.model import Inventory

_HEADINGS = {
    "name": (
        *("name", "hostname", "computername", "computer", "machine", "machinename", "dnshostname"),
        *("fullyqualifieddomainname", "fqdn", "host", "inventoryhostname"),
    ),
    "address": ("address", "ip", "ipaddress", "ipv4address", "ansiblehost"),
    "port": ("port", "sshport", "ansibleport"),
    "account": ("account", "user", "username", "login", "ansibleuser"),
    "groups": ("groups", "group"),
}
"""What columns are called, in lower case and without spaces and signs; the first that is there
counts."""
_DELIMITERS = ",;\t|"
_LIST_SIGNS = str.maketrans(",;|", "   ")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the cells of a line are that say something; None where no column does."""

    name: int
    address: int | None = None
    port: int | None = None
    account: int | None = None
    groups: int | None = None


def read_csv(text: str, path: str) -> Inventory:
    """The machines that a file lists; what is no machine is skipped, with the reason.

    Args:
        text: the file, in any of the forms that spreadsheets save: with commas, semicolons, tabs
            or bars, and with a line `sep=;` in front or without.
        path: the file, for errors.
    Raises: `manager/inventory` where quotes do not fit, or too much is in it.
    """
    collector = Collector(path)
    lines = text.splitlines(keepends=True)
    skip = 1 if lines and lines[0].strip().lower().startswith("sep=") else 0
    named = lines[0].strip()[4:] if skip else ""
    lines = lines[skip:]
    rows = _rows(lines, named if named in tuple(_DELIMITERS) else _delimiter(lines), skip, path)
    first = next(rows, None)
    if first is None:
        return collector.inventory()
    columns = _columns(first[1])
    if columns is None:
        columns = _Columns(0)
        _take(collector, columns, *first)
    for line, cells in rows:
        _take(collector, columns, line, cells)
    return collector.inventory()


def _delimiter(lines: Sequence[str]) -> str:
    first = next((line for line in lines if line.strip()), "")
    return max(_DELIMITERS, key=first.count)


def _rows(
    lines: Sequence[str], delimiter: str, before: int, path: str
) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, with the number of the one that each ends at."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                yield reader.line_num + before, cells
    except csv.Error as fault:
        detail = f"line {reader.line_num + before}: {fault}"
        raise error("manager/inventory", path=path, detail=detail) from None


def _columns(cells: Sequence[str]) -> _Columns | None:
    """Where a heading says that things are; None where these cells are no heading."""
    names = ["".join(sign for sign in cell.lower() if sign.isalnum()) for cell in cells]
    at = {
        field: next((names.index(heading) for heading in headings if heading in names), None)
        for field, headings in _HEADINGS.items()
    }
    name = at.pop("name")
    if name is None:
        name = at["address"]
    return None if name is None else _Columns(name, **at)


def _take(collector: Collector, columns: _Columns, line: int, cells: Sequence[str]) -> None:
    def cell(column: int | None) -> str:
        text = cells[column].strip() if column is not None and column < len(cells) else ""
        # An apostrophe is what keeps a spreadsheet from taking a text for a formula.
        return text.removeprefix("'")

    name, address = cell(columns.name), cell(columns.address)
    if not name and not address:
        collector.skip(line, " ".join(cells).strip(), "it names no machine")
        return
    collector.take(
        name or address,
        address=address,
        port=cell(columns.port),
        account=cell(columns.account),
        groups=tuple(cell(columns.groups).translate(_LIST_SIGNS).split()),
        line=line,
    )
