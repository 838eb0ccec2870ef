"""`muster publisher backup`, `restore`, `resume` as an operator types them, on both databases."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.mounts import read_only

from muster.cli.main import muster
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key
from muster.lease import strict


class Operator:
    """Types commands; `database` is the setting, "" for the file in the store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")

    def at(self, store: Path, database: str = "") -> None:
        self._monkeypatch.setenv("MUSTER_STORE", str(store))
        self._monkeypatch.setenv("MUSTER_PUBLISHER_DATABASE", database)
        if not database:
            self._monkeypatch.delenv("MUSTER_PUBLISHER_DATABASE")

    def types(self, *words: str, code: int = 0) -> dict[str, Any]:
        done = CliRunner().invoke(muster, ["publisher", *words, "--json"])
        assert done.exit_code == code, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def reads(self, *words: str) -> str:
        done = CliRunner().invoke(muster, ["publisher", *words])
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Where the publisher is restored to."""
    if request.param == "sqlite":
        return ""
    found: str = request.getfixturevalue("postgres_url")
    return found


def test_an_operator_loses_a_database_and_restores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    operator = Operator(monkeypatch)
    first, second = tmp_path / "first", tmp_path / "second"
    saved = str(tmp_path / "contoso.backup")
    operator.at(first)
    made = operator.types(
        *("init", "--sample", "--reserve-root", str(tmp_path / "reserve.key")),
        *("--kdf", "scrypt", "--kdf-log-n", "10", "--kdf-r", "1"),
    )
    issued = operator.types(
        *("key", "issue", "--kind", "mak", "--group", "client-volume", "--pool", "5")
    )
    key = parse_product_key(issued["keys"][0]["key"])
    proof = proof_key(made["publisher"], key.key_id, key.tag_bytes)

    def digits(number: int) -> str:
        return make_installation_id(1, key.key_id, f"{number:025x}", None, proof).text

    known = operator.types("confirm", digits(1))["confirmation_id"]
    written = operator.types("backup", saved)
    assert written["audit_head"] == operator.types("audit", "verify")["head"]
    assert operator.types("backup", saved, code=2)["error"]["code"] == "backup/exists"
    lost = operator.types("confirm", digits(2))["confirmation_id"]
    later = operator.types("audit", "verify")["head"]

    for folder in first.rglob("keys"):
        shutil.copytree(folder, second / folder.relative_to(first))
    operator.at(second, database)
    done = operator.types("restore", saved)
    assert (done["waiting"], done["audit_head"]) == (True, written["audit_head"])
    again = operator.types("restore", saved, code=1)
    assert again["error"]["code"] == "backup/not-empty"
    assert operator.types("confirm", digits(1))["confirmation_id"] == known
    for number in (2, 3):
        refused = operator.types("confirm", digits(number), code=3)
        assert refused["error"]["code"] == "publisher/restored"
    told = operator.types("resume", "--audit-head", later, code=1)
    assert told["error"]["code"] == "backup/head"
    assert "accept-loss" in operator.reads("resume")
    done = operator.types("resume", "--accept-loss")
    assert (done["changed"], done["lost"], done["waiting"]) == (True, True, False)
    assert operator.types("resume", "--accept-loss")["changed"] is False
    assert operator.types("confirm", digits(2))["confirmation_id"] == lost, "the same day and key"
    found = operator.types("key", "show", key.key_id.text)["key"]["pool"]
    assert found["drawn"] == 2
    events = [one["event"] for one in operator.types("audit", "list")["audit"]]
    assert "publisher:store:resume" in events
    operator.types("audit", "verify", "--head", operator.types("audit", "verify")["head"])


@pytest.mark.parametrize("instant", [253_402_300_800, 2**53 - 1])
def test_a_backup_with_dates_that_no_calendar_has_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, instant: int
) -> None:
    """Once the restore was done, and then died of the date that it wanted to print."""
    operator = Operator(monkeypatch)
    saved = tmp_path / "contoso.backup"
    operator.at(tmp_path / "first")
    operator.types(
        *("init", "--sample", "--reserve-root", str(tmp_path / "reserve.key")),
        *("--kdf", "scrypt", "--kdf-log-n", "10", "--kdf-r", "1"),
    )
    operator.types("key", "issue", "--kind", "mak", "--group", "client-volume", "--pool", "5")
    operator.types("backup", str(saved))

    whole = [json.loads(line) for line in saved.read_bytes().splitlines()[:-1]]

    def forge(*, head: bool) -> None:
        lines = copy.deepcopy(whole)
        if head:
            lines[0]["made_at"] = instant
        else:
            keys = [line["row"] for line in lines if line.get("table") == "product_key"]
            keys[0]["issued_at"] = instant
        data = b"".join(strict.canonical(line) + b"\n" for line in lines)
        sum_of = hashlib.sha256(data).hexdigest()
        foot: strict.JSONObject = {"rows": len(lines) - 1, "sha256": sum_of}
        saved.write_bytes(data + strict.canonical(foot) + b"\n")

    operator.at(tmp_path / "second", database)
    for head in (True, False):
        forge(head=head)
        told = operator.types("restore", str(saved), "--accept-loss", code=2)
        assert told["error"]["code"] == "backup/damaged"
        assert "calendar" in told["error"]["what"]
        assert list((tmp_path / "second").iterdir()) == [], "nothing was begun"
        assert operator.types("key", "list", code=2)["error"]["code"] == "publisher/none"


def test_an_older_copy_of_the_database_is_refused_and_sells_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator(monkeypatch)
    operator.at(tmp_path / "store")
    operator.types(
        *("init", "--sample", "--reserve-root", str(tmp_path / "reserve.key")),
        *("--kdf", "scrypt", "--kdf-log-n", "10", "--kdf-r", "1"),
    )
    issue = ("key", "issue", "--kind", "mak", "--group", "client-volume", "--pool", "5")
    path = next((tmp_path / "store").rglob("publisher.db"))
    shutil.copy(path, tmp_path / "older.db")
    operator.types(*issue)
    operator.types("backup", str(tmp_path / "saved"))
    assert operator.types("check")["audit_head"] == operator.types("audit", "verify")["head"]
    operator.types(*issue)
    newest = path.read_bytes()
    shutil.copy(tmp_path / "older.db", path)
    for words in (("key", "list"), ("audit", "verify"), ("confirm", "1"), issue):
        assert operator.types(*words, code=3)["error"]["code"] == "db/older"
    told = operator.types("restore", str(tmp_path / "older.db"), "--replace", code=2)
    assert told["error"]["code"] == "backup/damaged"
    assert path.read_bytes() == (tmp_path / "older.db").read_bytes(), "it was put back"
    done = operator.types("restore", str(tmp_path / "saved"), "--replace")
    assert done["waiting"]
    assert len(operator.types("key", "list")["keys"]) > 1
    assert path.parent.joinpath(Path(done["aside"]).name, "publisher.db").exists()

    path.rename(tmp_path / "moved.db")
    again = ("init", "--sample", "--reserve-root", str(tmp_path / "second.key"))
    keys = sorted(path.parent.rglob("*.key"))
    for typed in ("key list", "status", "restore --in-place", " ".join(again)):
        assert operator.types(*typed.split(), code=3)["error"]["code"] == "db/lost"
    assert sorted(path.parent.rglob("*.key")) == keys, "none was put aside as unfinished"
    mark = path.with_name(path.name + "-mark")
    mark.rename(tmp_path / "moved.db-mark")
    for typed in ("key list", "status", " ".join(again)):
        assert operator.types(*typed.split(), code=1)["error"]["code"] == "publisher/lost"
    assert sorted(path.parent.rglob("*.key")) == keys, "the keys of a publisher that was here stay"
    (tmp_path / "moved.db-mark").rename(mark)
    (tmp_path / "moved.db").rename(path)

    with read_only(tmp_path / "store"):
        for typed in ("key list", "status", "check", "audit verify"):
            operator.types(*typed.split())
        told = operator.types("backup", str(tmp_path / "from-read-only"), code=3)
        assert told["error"]["code"] == "db/read-only"
        assert not (tmp_path / "from-read-only").exists()

    path.write_bytes(newest)
    assert operator.types("key", "list", code=3)["error"]["code"] == "db/other"
    done = operator.types("restore", "--in-place")
    assert (done["waiting"], done["rows"]) == (True, 0)
    told = operator.types("resume", "--audit-head", done["audit_head"], code=1)
    assert told["error"]["code"] == "backup/uncovered"
    assert operator.types("resume", "--accept-loss")["lost"]
    assert CliRunner().invoke(muster, ["publisher", "restore"]).exit_code == 2
