"""The error catalogue as a whole, and every place of the code that raises one of its rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.core.catalogue import CATALOGUE, error
from muster.core.errors import Fault, Kind, Refusal, Row, Usage

SOURCE = Path(__file__).parents[2] / "src" / "muster"
CODE = re.compile(r"[a-z]+(-[a-z]+)*/[a-z0-9]+(-[a-z0-9]+)*")


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=list(CATALOGUE))
def test_every_row_is_whole(row: Row) -> None:
    assert CODE.fullmatch(row.code)
    assert 400 <= row.http <= 599
    assert row.field_code == "" or re.fullmatch(r"0x[0-9A-F]{8}", row.field_code)
    for text in (row.what, row.why, row.fix):
        assert text.strip() == text != ""
        assert text[-1] in ".?;", text
    filled = dict.fromkeys(row.fields(), "?")
    caught = error(row.code, **filled)
    assert caught.code == row.code
    assert not re.search(r"\{[a-z_]+\}", caught.what + caught.why + caught.fix)
    wanted = {Kind.REFUSAL: Refusal, Kind.USAGE: Usage, Kind.FAULT: Fault}[row.kind]
    assert type(caught) is wanted


def raised() -> Iterator[tuple[str, str, set[str], bool]]:
    """Where, code, named parameters, and whether there are more, of each `error("…")` call."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name != "error" or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            given = {keyword.arg for keyword in node.keywords if keyword.arg}
            more = any(keyword.arg is None for keyword in node.keywords)
            where = f"{path.relative_to(SOURCE)}:{node.lineno}"
            yield where, str(node.args[0].value), given, more


def test_every_raised_code_stands_in_the_catalogue_with_its_parameters() -> None:
    wrong = []
    for where, code, given, more in raised():
        if code not in CATALOGUE:
            wrong.append(f"{where}: no row {code}")
        elif not more and CATALOGUE[code].fields() - given:
            wrong.append(f"{where}: {code} needs {sorted(CATALOGUE[code].fields() - given)}")
    assert not wrong
