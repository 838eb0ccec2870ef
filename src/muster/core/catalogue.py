"""The error catalogue: what happened, why, and what to do, one row per code.

Every refusal and every fault that a person, a program or another role can meet is one row here.
The same row is read by problem documents, exit codes, consoles and the manual
(docs/errors.md is generated from it). The rows are in `muster.core.error_rows`, by area, and all
of them are loaded with this module [a program that has no file handle left must still be able to
say so].

Laws over the table (tests/core/test_errors.py): codes are unique and never reused; every
template field is given by whoever raises; texts may be reworded, codes never.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from muster.core.error_rows import (
    agent,
    backup,
    client,
    common,
    host,
    licence,
    manager,
    net,
    publisher,
    wire,
)
from muster.core.errors import Fault, Kind, MusterError, Refusal, Row, Usage


def table(groups: Iterable[Iterable[Row]]) -> dict[str, Row]:
    """Join the rows of all areas; a code that appears twice is a bug and raises ValueError."""
    rows: dict[str, Row] = {}
    for group in groups:
        for row in group:
            if row.code in rows:
                raise ValueError(f"error code {row.code} appears twice")
            rows[row.code] = row
    return rows


CATALOGUE: dict[str, Row] = table(
    (
        common.ROWS,
        licence.ROWS,
        wire.ROWS,
        net.ROWS,
        host.ROWS,
        publisher.ROWS,
        backup.ROWS,
        agent.ROWS,
        manager.ROWS,
        client.ROWS,
    )
)
"""Every row by its code."""

_CLASSES = {Kind.REFUSAL: Refusal, Kind.USAGE: Usage, Kind.FAULT: Fault}


def error(code: str, /, **params: Any) -> MusterError:
    """Make the exception of a catalogue row.

    Args:
        code: a code of the catalogue; an unknown one raises KeyError, which is a bug.
        params: at least the fields that the row's templates name; a missing one raises
            TypeError at once, not when somebody prints the error.
    """
    row = CATALOGUE[code]
    missing = row.fields() - params.keys()
    if missing:
        raise TypeError(f"{code} needs {', '.join(sorted(missing))}")
    return _CLASSES[row.kind](row, params)
