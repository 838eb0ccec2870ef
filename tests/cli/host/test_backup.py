"""`muster host backup` and `restore` as an administrator types them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.cli.host.conftest import Desk
from tests.host.test_backup_file import forged
from tests.mounts import file_system, read_only


def test_a_backup_and_its_restore_say_what_they_did(active: Desk) -> None:
    saved = str(active.folder / "backup")
    said = active.text("backup", saved)
    assert "no signing keys" in said
    assert "Copy the folder 'keys'" in said
    assert active.error("backup", saved, code=2) == "backup/exists"
    assert active.error("restore", saved, code=1) == "backup/not-empty"
    assert "No count and no release was lowered." in active.text("restore", saved, "--merge")
    said = active.text("restore", saved, "--replace")
    assert "count again when they ask next" in said
    assert "host.db.aside-1" in said
    shutil.rmtree(active.folder / "store" / "host" / "keys")
    said = active.text("restore", "--in-place")
    assert "goes on with the database that is in its store" in said
    assert "is not in the store: its grants are not used" in said


def test_wrong_words_change_nothing(active: Desk) -> None:
    saved = str(active.folder / "backup")
    active.text("backup", saved)
    for words in (("restore",), ("restore", saved, "--in-place")):
        assert "Name the backup FILE" in active.type(*words, code=2).stderr


def test_a_host_on_a_read_only_disk_is_looked_at_and_backed_up(active: Desk) -> None:
    saved = str(active.folder / "backup")
    with read_only(active.folder / "store"):
        assert active.data("status")["publishers"][0]["able"]
        for words in (("clients",), ("log",), ("check",)):
            active.text(*words)
        said = active.text("backup", saved)
        assert "The audit of the host does not say so" in said
        assert "db/read-only" in said
        assert active.error("set", "new-cmid-rate", "7", code=3) == "db/read-only"
        assert active.error("restore", saved, "--replace", code=3) == "db/read-only"
    assert active.data("restore", saved, "--replace")["missing_keys"] == []


def test_a_restore_that_fails_puts_the_database_back(
    active: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")
    saved = str(active.folder / "backup")
    active.text("backup", saved, "--with-keys")
    shutil.rmtree(active.folder / "store" / "host" / "keys")
    monkeypatch.setenv("MUSTER_PASSPHRASE", "wrong")
    words = ("restore", saved, "--replace", "--with-keys")
    assert active.error(*words, code=1) == "keyfile/passphrase"
    assert active.data("status")["publishers"]
    monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")
    assert active.data(*words)["missing_keys"] == []


def test_a_restore_that_fails_late_leaves_an_empty_store_empty(
    active: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last row breaks a rule, or the disk is full: no database, no key, no folder is left."""
    monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")
    saved = tmp_path / "saved"
    active.text("backup", str(saved), "--with-keys")
    bad = forged(saved, lambda lines: lines.insert(-1, lines[-2]), tmp_path / "bad")
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "empty"))
    for words in ((str(bad),), (str(bad), "--with-keys"), (str(bad), "--with-keys", "--replace")):
        assert active.error("restore", *words, code=2) == "backup/damaged"
        assert list((tmp_path / "empty").iterdir()) == []
    with file_system(tmp_path / "small", "120k") as small:
        monkeypatch.setenv("MUSTER_STORE", str(small))
        assert active.error("restore", str(saved), "--with-keys", code=3) == "db/full"
        assert list(small.iterdir()) == []
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "empty"))
    done = active.data("restore", str(saved), "--with-keys")
    assert (len(done["keys"]), done["missing_keys"], done["aside"]) == (1, [], None)
    names = sorted(file.name for file in (tmp_path / "empty" / "host").iterdir())
    assert names == ["host.db", "host.db-mark", "keys"]


def test_a_check_reads_the_database_to_its_end(active: Desk) -> None:
    path = active.folder / "store" / "host" / "host.db"
    assert active.data("check") == {"database": str(path)}
    assert "is whole" in active.text("check")
    with contextlib.closing(sqlite3.connect(path)) as tool:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'dns_result'"
        (page,) = tool.execute(query).fetchone()
    data = bytearray(path.read_bytes())
    data[4096 * (page - 1) : 4096 * page] = bytes(4096)
    path.write_bytes(data)
    assert active.error("check", code=3) == "db/corrupt"
    assert active.error("serve", "--port", "0", code=3) == "db/corrupt", "nobody met the page yet"
    assert path.read_bytes() == data
