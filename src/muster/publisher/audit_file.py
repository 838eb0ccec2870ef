"""Exports of the audit log as files of JSON lines.

Decides how such a file is written and read, line by line however long the log is. Refuses to know
what a row means; that is `muster.publisher.chain`. Obeys docs/spec/12-audit.md, section 12.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from muster.publisher import chain
from muster.publisher.chain import Head
from muster.system.files import translate
from muster.system.private import new_file


def export_audit(export: Callable[[Callable[[bytes], object]], Head], path: Path) -> Head:
    """Write an export to a new file that its owner alone can read; the head.

    A log whose chain is broken leaves no file.
    Raises: `file/exists` and other `file/…`, and what `export` raises.
    """
    with new_file(path) as stream:
        return export(stream.write)


def check_audit_file(path: Path, wanted: Head | None = None) -> Head:
    """Walk the chain of an exported file; its head. Raises: `file/…`, and as `chain.check`."""
    try:
        with path.open("rb") as stream:

            def lines() -> Iterator[bytes]:
                while line := stream.readline(chain.LINE_LIMIT + 1):
                    yield line

            return chain.check(chain.read_lines(lines()), wanted)
    except OSError as fault:
        raise translate(fault, path) from fault
