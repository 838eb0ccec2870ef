"""`muster publisher key …` and `activation …` for keys with a pool, as an engineer types them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muster.cli.main import muster
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key


@dataclass
class Desk:
    """A publisher's store, and the commands that an engineer types at it."""

    folder: Path
    publisher: str = ""

    def run(self, *words: str) -> tuple[int, str]:
        env = {"MUSTER_STORE": str(self.folder), "MUSTER_PASSPHRASE": "correct horse"}
        found = CliRunner().invoke(muster, ["publisher", *words], env=env)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code, found.stdout

    def text(self, *words: str) -> str:
        code, said = self.run(*words)
        assert code == 0, said
        return said

    def data(self, *words: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.text(*words, "--json"))
        return value

    def refused(self, *words: str) -> tuple[int, str]:
        code, said = self.run(*words, "--json")
        return code, json.loads(said)["error"]["code"]

    def issue(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = self.data("key", "issue", "--group", "client-volume", *words)
        assert found["changed"] is True
        (key,) = found["keys"]
        return dict(key)

    def digits(self, key_text: str, number: int) -> str:
        """The installation ID of a machine with this key."""
        key = parse_product_key(key_text)
        proof = proof_key(self.publisher, key.key_id, key.tag_bytes)
        return make_installation_id(1, key.key_id, f"{number:025x}", None, proof).text

    def confirm(self, key_text: str, number: int) -> tuple[int, str]:
        return self.run("confirm", self.digits(key_text, number), "--json")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path / "stores")
    cheap = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
    made = found.data("init", "--sample", "--reserve-root", str(tmp_path / "r.key"), *cheap)
    found.publisher = made["publisher"]
    return found


def test_a_pool_from_issue_to_its_end(desk: Desk) -> None:
    key = desk.issue("--kind", "mak", "--pool", "2", "--alert-at", "50", "--customer", "Tailspin")
    assert (key["pool"]["size"], key["pool"]["drawn"], key["pool"]["left"]) == (2, 0, 2)
    for number in (1, 2, 1):
        assert desk.confirm(key["key"], number)[0] == 0
    code, said = desk.confirm(key["key"], 3)
    assert (code, json.loads(said)["error"]["code"]) == (1, "publisher/pool-used-up")
    assert "2/2" in desk.text("key", "list", "--kind", "mak")

    # One given back, no more than that.
    words = ["key", "correct", key["id"], "--add", "1", "--reason", "a disk was swapped"]
    assert desk.data(*words)["key"]["pool"]["left"] == 1
    assert desk.refused(*words) == (1, "publisher/correction-limit")
    assert desk.confirm(key["key"], 3)[0] == 0
    assert "3 of 3 used, 1 of them given back by staff" in desk.text("key", "show", key["id"])

    # A bigger agreement, twice the same.
    words = ["key", "extend", key["key"], "--pool", "10"]
    assert desk.data(*words)["changed"] is True
    assert desk.data(*words)["changed"] is False
    assert "was already 10" in desk.text(*words)
    assert desk.refused("key", "extend", key["id"], "--pool", "1") == (1, "publisher/pool-drawn")

    shown = desk.data("key", "show", key["id"])["key"]
    pool = shown["pool"]
    assert (pool["size"], pool["corrected"], pool["drawn"], pool["left"]) == (10, 1, 3, 8)
    assert len(shown["activations"]) == 3
    told = desk.text("audit")
    for event in ("publisher:pool:alert", "publisher:pool:correct", "publisher:pool:extend"):
        assert event in told


def test_one_activation_and_then_the_key_are_revoked(desk: Desk) -> None:
    key = desk.issue("--kind", "evaluation", "--pool", "5", "--term", "3")
    for number in (1, 2):
        assert desk.confirm(key["key"], number)[0] == 0
    first, second = desk.data("key", "show", key["id"])["key"]["activations"]
    assert first["term_days"] == 90
    assert desk.data("activation", "revoke", first["grant"])["changed"] is True
    assert desk.data("activation", "revoke", first["grant"])["changed"] is False
    outcomes = {desk.confirm(key["key"], number)[0] for number in (1, 2)}
    assert outcomes == {0, 1}
    assert desk.refused("activation", "revoke", "nobody")[1] == "publisher/unknown-activation"
    found = desk.data("key", "revoke", key["id"])
    assert sorted(found["grants"]) == sorted([first["grant"], second["grant"]])
    assert {desk.confirm(key["key"], number)[0] for number in (1, 2, 3)} == {1}
    revocations = desk.data("catalogue", "show")["revocations"]
    assert {one["key"] or one["grant"] for one in revocations} == {key["id"], first["grant"]}


def test_what_is_no_pool_is_told(desk: Desk) -> None:
    issue = ("key", "issue", "--group", "client-volume", "--kind")
    for words in (
        ("mak",),
        ("evaluation", "--pool", "5"),
        ("evaluation", "--pool", "5", "--term", "4"),
        ("retail", "--pool", "2"),
    ):
        assert desk.refused(*issue, *words) == (2, "publisher/pool")
    assert desk.run(*issue, "host", "--pool", "5")[0] == 2
    host = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]["id"]
    assert desk.refused("key", "extend", host, "--pool", "5") == (2, "publisher/pool")
    retail = desk.issue("--kind", "retail")
    assert (retail["pool"]["size"], retail["pool"]["left"]) == (1, 1)
