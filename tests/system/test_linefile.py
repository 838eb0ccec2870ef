"""Files of JSON lines with a sum: whole, or refused with the line that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.lease import strict
from muster.system.linefile import LineFile, LineWriter, table_row

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
    with LineFile(path) as file:
        file.head("test", {}, 3)
        for line in file.lines():
            table_row(path, line, {"t": ()})


def code(path: Path) -> tuple[str, int]:
    with pytest.raises(MusterError) as caught:
        whole(path)
    return caught.value.code, int(str(caught.value.params.get("line", 0)))


def test_a_whole_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path)
    with LineFile(path) as file:
        assert file.head("test", {}, 3) == HEAD
        assert [line.value for line in file.lines()] == ROWS
        assert [line.number for line in file.lines()] == [2, 3, 4, 5]


def test_what_was_judged_is_what_is_read(tmp_path: Path) -> None:
    """Whoever may write in the folder puts another file there, or other bytes into this one."""
    path, other = tmp_path / "x", tmp_path / "other"
    data = write(path)
    other.write_bytes(data.replace(b'"v":1', b'"v":9'))
    with LineFile(path) as file:
        assert len(list(file.lines())) == 4
        other.rename(path)
        assert file.head("test", {}, 3) == HEAD
    path.write_bytes(data)
    with LineFile(path) as file:
        list(file.lines())
        with path.open("wb") as out:
            lines = LineWriter(out, HEAD)
            lines.line(ROWS[0])
            lines.end()
        with pytest.raises(MusterError) as caught:
            list(file.lines())
    assert "was changed while it was read" in caught.value.what


def test_a_pipe_is_no_backup(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MusterError) as caught:
        LineFile(tmp_path / "pipe")
    assert caught.value.code == "file/not-regular"


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
