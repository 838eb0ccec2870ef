"""Issued product keys may go to a file in place of the screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muster.cli.main import muster
from muster.core.keys import parse_product_key

ISSUE = ("publisher", "key", "issue", "--kind", "host", "--group")


def typed(*words: str, code: int = 0) -> dict[str, Any]:
    """Type a command with `--json` and give what it printed."""
    done = CliRunner().invoke(muster, [*words, "--json"])
    assert done.exit_code == code, done.output
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A publisher, and a file name for its keys."""
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")
    reserve = str(tmp_path / "reserve.key")
    cheap = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
    typed("publisher", "init", "--sample", "--reserve-root", reserve, *cheap)
    return tmp_path / "keys"


def test_a_file_holds_the_keys_and_nothing_shows_them(keys: Path) -> None:
    done = typed(*ISSUE, "server-b", "--count", "2", "--out", str(keys))
    assert keys.stat().st_mode & 0o777 == 0o600
    lines = keys.read_text(encoding="ascii").splitlines()
    found = [parse_product_key(line) for line in lines]
    assert [one.key_id.text for one in found] == [one["id"] for one in done["keys"]]
    assert done["file"] == str(keys)
    assert not any(line in json.dumps(done) for line in lines)


def test_a_file_that_exists_is_not_written_over_and_no_key_is_drawn(keys: Path) -> None:
    keys.write_text("papers")
    before = typed("publisher", "key", "list")
    done = typed(*ISSUE, "server-b", "--out", str(keys), code=1)
    assert done["error"]["code"] == "file/exists"
    assert keys.read_text() == "papers"
    assert typed("publisher", "key", "list") == before


def test_a_refused_issue_leaves_no_file(keys: Path) -> None:
    typed(*ISSUE, "no-such-group", "--out", str(keys), code=2)
    assert not keys.exists()
    assert typed(*ISSUE, "server-b", "--out", str(keys))["keys"][0]["key"] is None
