"""Files of JSON lines with a sum: whole, or refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.lease import strict
from muster.system.linefile import LineWriter, read_head, read_lines, table_row

HEAD: strict.JSONObject = {"v": 1, "file": "test", "made_at": 1, "schema": 3}
ROWS: list[strict.JSONObject] = [
    {"table": "t", "row": {"a": number, "at": number}} for number in range(4)
]


def write(path: Path) -> bytes:
    with path.open("wb") as out:
        lines = LineWriter(out, HEAD)
        for row in ROWS:
            lines.line(row)
        lines.end()
        assert lines.count == 4
    return path.read_bytes()


def whole(path: Path) -> None:
    read_head(path, "test", {}, 3)
    for line in read_lines(path):
        table_row(path, line, {"t": ()})


def code(path: Path) -> tuple[str, int]:
    with pytest.raises(MusterError) as caught:
        whole(path)
    return caught.value.code, int(str(caught.value.params.get("line", 0)))


def test_a_whole_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path)
    assert read_head(path, "test", {}, 3) == HEAD
    assert [line.value for line in read_lines(path)] == ROWS
    assert [line.number for line in read_lines(path)] == [2, 3, 4, 5]


def test_what_is_not_whole_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "x"
    data = write(path)
    lines = data.splitlines(keepends=True)
    for spoilt, line in (
        (b"", 1),
        (b"".join(lines[:1]), 2),
        (b"".join(lines[:-1]), 6),
        (b"".join([*lines[:2], *lines[3:]]), 5),
        (data + lines[1], 7),
        (data.replace(b'"a":2', b'"a":3'), 6),
        (data.replace(b'{"row"', b'{ "row"', 1), 2),
        (data.replace(b'"at":1', b'"at":253402300800'), 3),
        (data.replace(b'"table":"t"', b'"table":"u"', 1), 2),
        (data.replace(b'"made_at":1', b'"made_at":100000000000000'), 1),
        (data.replace(b'"made_at":1', b'"made_at":"1"'), 1),
    ):
        assert spoilt != data
        path.write_bytes(spoilt)
        assert code(path) == ("backup/damaged", line), spoilt


@pytest.mark.parametrize("change", [(b'"v":1', b'"v":2'), (b'"schema":3', b'"schema":4')])
def test_a_newer_file_is_refused(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    path = tmp_path / "x"
    path.write_bytes(write(path).replace(*change))
    assert code(path)[0] == "backup/newer"
