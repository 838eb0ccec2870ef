"""The audit log as a chain: every way to tamper with it is told, with the first bad row."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.publisher.conftest import Shop

from muster.cli.main import muster
from muster.core.errors import MusterError
from muster.publisher import chain
from muster.publisher.audit_file import check_audit_file, export_audit
from muster.publisher.chain import Head
from muster.publisher.model import AuditRow
from muster.publisher.store import DATABASE_FILE

SPEC = Path(__file__).resolve().parents[2] / "docs" / "spec" / "12-audit.md"
NOW = 1_800_000_000


def rows_of(count: int) -> list[AuditRow]:
    """A log as it is written."""
    entries = [("user:ada", "publisher:key:issue", f"k{n}", {"term": n}) for n in range(count)]
    return list(chain.append(Head(), NOW, entries))


def rehashed(row: AuditRow, previous: str) -> AuditRow:
    """A forger's row: with the hash that it would have there."""
    made = chain.row_hash(previous, row.seq, row.at, row.actor, row.event, row.subject, row.detail)
    return replace(row, hash=made)


def first_bad(rows: Sequence[AuditRow], wanted: Head | None = None) -> int:
    """The row that `check` names."""
    with pytest.raises(MusterError) as caught:
        chain.check(rows, wanted)
    assert caught.value.code == "publisher/audit-broken"
    return int(caught.value.params["seq"])


def test_a_whole_log_holds_and_contains_its_heads() -> None:
    rows = rows_of(5)
    for one in rows:
        assert chain.check(rows, Head(one.seq, one.hash)) == Head(5, rows[-1].hash)
    assert chain.check([]) == chain.check([], Head()) == Head()


def test_rows_written_in_two_goes_make_the_same_chain() -> None:
    entries = [("a", "e", str(n), {"n": n}) for n in range(7)]
    once = list(chain.append(Head(), NOW, entries))
    first = list(chain.append(Head(), NOW, entries[:3]))
    then = chain.append(Head(3, first[-1].hash), NOW, entries[3:])
    assert [*first, *then] == once


@pytest.mark.parametrize(
    "change",
    [
        {"at": NOW + 1},
        {"at": -1},
        {"actor": "user:eve"},
        {"event": "publisher:key:revoke"},
        {"subject": "k9"},
        {"detail": '{"term": 2}'},
        {"detail": '{"term":3}'},
        {"hash": "0" * 64},
    ],
)
def test_a_changed_row_is_named(change: dict[str, object]) -> None:
    rows = rows_of(5)
    rows[2] = replace(rows[2], **change)  # type: ignore[arg-type]  # one of its own fields
    assert first_bad(rows) == 3


def test_a_changed_row_with_its_own_hash_made_anew_shows_at_the_next() -> None:
    rows = rows_of(5)
    rows[2] = rehashed(replace(rows[2], subject="k9"), rows[1].hash)
    assert first_bad(rows) == 4


@given(st.integers(2, 8), st.data())
def test_a_missing_row_is_named(count: int, data: st.DataObject) -> None:
    rows = rows_of(count)
    place = data.draw(st.integers(0, count - 2))
    del rows[place]
    assert first_bad(rows) == place + 1


@given(st.integers(2, 8), st.data())
def test_a_missing_row_with_the_others_renumbered_is_named(count: int, data: st.DataObject) -> None:
    rows = rows_of(count)
    place = data.draw(st.integers(0, count - 2))
    del rows[place]
    assert first_bad([replace(one, seq=n) for n, one in enumerate(rows, 1)]) == place + 1


@given(st.integers(1, 8), st.data())
def test_an_inserted_row_is_named(count: int, data: st.DataObject) -> None:
    rows = rows_of(count)
    place = data.draw(st.integers(0, count - 1))
    forged = replace(rows[place], subject="forged")
    renumbered = [replace(one, seq=one.seq + 1) for one in rows[place:]]
    assert first_bad([*rows[:place], forged, *renumbered]) == place + 1
    # Its own hash fits: then the row behind it does not.
    held = rehashed(forged, rows[place - 1].hash if place else chain.NOTHING)
    assert first_bad([*rows[:place], held, *renumbered]) == place + 2
    # Not renumbered, as in a file: its number stands there twice.
    assert first_bad([*rows[: place + 1], rows[place], *rows[place + 1 :]]) == place + 2


@given(st.integers(2, 8), st.data())
def test_swapped_rows_are_named(count: int, data: st.DataObject) -> None:
    rows = rows_of(count)
    one = data.draw(st.integers(0, count - 2))
    two = data.draw(st.integers(one + 1, count - 1))
    rows[one], rows[two] = rows[two], rows[one]
    assert first_bad(rows) == one + 1
    assert first_bad([replace(each, seq=n) for n, each in enumerate(rows, 1)]) == one + 1


@given(st.integers(1, 8), st.data())
def test_a_log_cut_at_its_end_is_told_by_a_head(count: int, data: st.DataObject) -> None:
    rows = rows_of(count)
    head = Head(count, rows[-1].hash)
    left = data.draw(st.integers(0, count - 1))
    assert chain.check(rows[:left]).seq == left  # nothing but the head can tell
    assert first_bad(rows[:left], head) == left + 1


def test_a_log_written_anew_is_told_by_a_head() -> None:
    rows = rows_of(5)
    head = Head(5, rows[-1].hash)
    previous = chain.NOTHING
    anew: list[AuditRow] = []
    for one in rows:
        anew.append(rehashed(replace(one, actor="user:eve"), previous))
        previous = anew[-1].hash
    assert chain.check(anew).seq == 5
    assert first_bad(anew, head) == 5


@pytest.mark.parametrize(
    "text", ["", "5", "5:", "5:abc", f"05:{'a' * 64}", f"5:{'A' * 64}", f"0:{'a' * 64}", "-1:0"]
)
def test_what_is_no_head_is_told(text: str) -> None:
    with pytest.raises(MusterError, match="publisher/audit-head"):
        Head.parse(text)
    assert Head.parse(f" 5:{'a' * 64}\n") == Head(5, "a" * 64)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_a_log_or_an_error_of_the_catalogue(lines: list[bytes]) -> None:
    try:
        chain.check(chain.read_lines(lines))
    except MusterError as fault:
        assert fault.code == "publisher/audit-broken"


# The worked example of the chapter, recomputed without this project's code.


def independent_hash(previous: str, row: dict[str, object]) -> str:
    """Chapter 12.2 by the standard library alone; the example holds ASCII only."""
    body = {name: value for name, value in row.items() if name != "hash"} | {"previous": previous}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"muster-audit-v1" + text.encode("ascii")).hexdigest()


def independent_head(text: str) -> tuple[int, str]:
    previous, seq = "0" * 64, 0
    for line in text.splitlines():
        row = json.loads(line)
        assert row["seq"] == seq + 1
        assert row["hash"] == independent_hash(previous, row)
        previous, seq = row["hash"], row["seq"]
    return seq, previous


def test_the_worked_example_of_the_chapter_holds(tmp_path: Path) -> None:
    block = SPEC.read_text("utf-8").split("```jsonl\n")[1].split("```")[0]
    seq, last = independent_head(block)
    assert f"`{seq}:{last}`" in SPEC.read_text("utf-8")
    file = tmp_path / "example"
    file.write_text(block)
    assert check_audit_file(file) == Head(seq, last)


# In a store and its exports.


def tamper(shop: Shop, *statements: str) -> None:
    with sqlite3.connect(shop.folder / DATABASE_FILE) as connection:
        for one in statements:
            connection.execute(one)
    connection.close()


def test_a_publishers_own_log_holds_and_its_export_agrees(shop: Shop, tmp_path: Path) -> None:
    admin = shop.admin()
    admin.issue_host_keys("server-b", 20)
    head = admin.check_audit()
    assert head.seq > 20
    file = tmp_path / "log"
    assert export_audit(admin.export_audit, file) == head
    assert file.stat().st_mode & 0o777 == 0o600
    assert independent_head(file.read_text("ascii")) == (head.seq, head.hash)
    assert check_audit_file(file, head) == head
    with pytest.raises(MusterError, match="file/exists"):
        export_audit(admin.export_audit, file)
    admin.issue_host_keys("server-b")
    assert admin.check_audit(head).seq == head.seq + 1


@pytest.mark.parametrize(
    ("statements", "bad"),
    [
        (["UPDATE audit SET actor = 'user:eve' WHERE seq = 3"], 3),
        (["DELETE FROM audit WHERE seq = 3"], 3),
        (["DELETE FROM audit WHERE seq = 1"], 1),
        (["UPDATE audit SET seq = -3 WHERE seq = 3"], 1),
        (
            [
                "UPDATE audit SET seq = 1000 WHERE seq = 3",
                "UPDATE audit SET seq = 3 WHERE seq = 4",
                "UPDATE audit SET seq = 4 WHERE seq = 1000",
            ],
            3,
        ),
    ],
)
def test_a_store_that_was_tampered_with_names_the_row(
    shop: Shop, tmp_path: Path, statements: list[str], bad: int
) -> None:
    admin = shop.admin()
    admin.issue_host_keys("server-b", 5)
    tamper(shop, *statements)
    file = tmp_path / "log"
    acts: list[Callable[[], object]] = [
        admin.check_audit,
        lambda: export_audit(admin.export_audit, file),
    ]
    for act in acts:
        with pytest.raises(MusterError) as caught:
            act()
        assert (caught.value.code, caught.value.params["seq"]) == ("publisher/audit-broken", bad)
    assert not file.exists()


def run(shop: Shop, *words: str) -> tuple[int, str]:
    parent = shop.folder.parent / "stores"
    parent.mkdir(exist_ok=True)
    if not (parent / "publisher").exists():
        (parent / "publisher").symlink_to(shop.folder)
    found = CliRunner().invoke(muster, ["publisher", "audit", *words, "--store", str(parent)])
    return found.exit_code, found.output


def test_the_commands_list_verify_and_export(shop: Shop, tmp_path: Path) -> None:
    head = shop.admin().check_audit().text
    file = tmp_path / "log"
    assert run(shop) == run(shop, "list")
    assert run(shop, "--after", "1") == run(shop, "list", "--after", "1")
    code, text = run(shop, "verify", "--head", head)
    assert code == 0
    assert f"Head: {head}" in text
    assert run(shop, "export", str(file))[0] == 0
    assert run(shop, "export", "-") == (0, file.read_text("ascii"))
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    for damaged, row in (
        (whole[:-1], len(lines)),
        (b"".join(lines[:-1]), len(lines)),
        (b"".join([lines[0], lines[2], lines[1], *lines[3:]]), 2),
        (whole.replace(b"test", b"tesu", 1), 1),
    ):
        file.write_bytes(damaged)
        code, text = run(shop, "verify", "--file", str(file), "--head", head)
        assert code == 1
        assert f"at row {row}:" in text
    assert run(shop, "verify", "--head", "1:2")[0] == 2
