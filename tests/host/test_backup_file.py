"""What is in a host's backup, and what of it is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.host.conftest import World

from muster.core.errors import MusterError
from muster.host import backup_file
from muster.host.act import backup
from muster.lease import strict
from muster.system.linefile import LineFile


def forged(path: Path, change: Callable[[list[Any]], object], out: Path) -> Path:
    """The lines of a backup, changed, with a right sum at the end."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()[:-1]]
    change(lines)
    body = b"".join(strict.canonical(line) + b"\n" for line in lines)
    sums: strict.JSONObject = {"rows": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    out.write_bytes(body + strict.canonical(sums) + b"\n")
    return out


def test_every_table_is_in_the_file_or_is_left_out_on_purpose(host: World) -> None:
    with host.database.snapshot() as reader:
        names = {
            str(row[0])
            for row in reader.query("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not str(row[0]).startswith("sqlite_")
        }
    left_out = {"dns_result", "muster_migration", "news", "counted_hour", "seat_hour"}
    assert names - left_out == set(backup_file.TABLES)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines.append(lines[-1]),
        lambda lines: lines.append({"table": "machine", "row": {"publisher": "x"}}),
        lambda lines: lines.append({"table": "machine", "row": {"nothing": 1}}),
        lambda lines: lines.append({"table": "dns_result", "row": {"zone": "x"}}),
        lambda lines: lines.append({"key": "x", "sealed": 1}),
        lambda lines: lines.append({"key": "x"}),
        lambda lines: lines[0].update(host=1),
        lambda lines: lines[0].update(host="\x1b[2Jdone"),
        lambda lines: [
            line["row"].update(proof_key="no digits")
            for line in lines
            if line.get("table") == "host_key"
        ],
        lambda lines: lines.__delitem__(1),
    ],
)
def test_rows_that_break_a_rule_change_nothing(
    host: World, tmp_path: Path, change: Callable[[list[Any]], object]
) -> None:
    from tests.host.act.test_backup import another

    host.fill(range(3))
    backup.write_backup(host.opened, tmp_path / "good")
    path = forged(tmp_path / "good", change, tmp_path / "bad")
    there = another(host, tmp_path / "other")
    with pytest.raises(MusterError) as caught, LineFile(path) as file:
        backup.restore(there.opened, file, backup_file.read(file), {})
    assert caught.value.code == "backup/damaged"
    with there.database.snapshot() as reader:
        for table in ("host", "publisher", "machine", "audit"):
            assert reader.one(f"SELECT 1 FROM {table}") is None
