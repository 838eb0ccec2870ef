"""`muster host clients`."""

from __future__ import annotations

import csv
import io
import json

import pytest
from tests.cli.host.conftest import Desk, asked

from muster.cli import compose
from muster.host import machine_list

pytestmark = pytest.mark.real


def test_names_are_shown_in_quotes_as_the_words_of_strangers(active: Desk) -> None:
    """A name can say what it likes and is never taken for a column of ours."""
    forged = 'pc"  192.0.2.1  seen 2030-01-01  counted for everything,0,1'
    cmid = asked(active, 7, forged)
    quoted = json.dumps(forged)
    shown = active.text("clients")
    assert f"{cmid}  {quoted}  192.0.2.7  seen " in shown
    assert active.data("clients")["clients"][0]["name"] == forged
    assert active.text("clients", "--silent") == "No machine is silent.\n"
    assert active.data("clients", "--silent")["clients"] == []


def test_machines_are_found_by_name_and_by_their_silence(active: Desk) -> None:
    first, second = asked(active, 1, "Front-Desk"), asked(active, 2, "=cmd|' /C calc'!A0")
    rows = active.data("clients", "--name", "front-desk")["clients"]
    assert [row["cmid"] for row in rows] == [first]
    assert active.text("clients", "--name", "front") == "No machine is like that.\n"
    assert active.text("clients", "--duplicates") == "No machine is like that.\n"
    assert active.data("clients", "--silent", "30d")["clients"] == []
    with compose.host_database(None) as database, database.transaction() as tx:
        tx.execute(
            "UPDATE machine SET last_seen = last_seen - 31 * 86400, cloned_at = last_seen"
            " WHERE cmid = ?",
            (second,),
        )
        tx.execute("UPDATE lease SET expires_at = issued_at + 86400 * 180")
    for words in (("--silent", "30d"), ("--silent", "12h"), ("--duplicates",)):
        rows = active.data("clients", *words)["clients"]
        assert [row["cmid"] for row in rows] == [second], words
    assert active.data("clients", "--silent", "32d")["clients"] == []
    active.type("clients", "--silent", "soon", code=2)


def test_a_list_is_given_as_csv(active: Desk) -> None:
    first, second = asked(active, 1, 'Front "Desk", 2'), asked(active, 2, "=cmd|' /C calc'!A0")
    rows = list(csv.DictReader(io.StringIO(active.text("clients", "--csv"))))
    names = {row["cmid"]: row["name"] for row in rows}
    assert names == {first: 'Front "Desk", 2', second: "'=cmd|' /C calc'!A0"}
    assert {row["publisher"] for row in rows} == {active.publisher.publisher}
    active.type("clients", "--csv", "--json", code=2)


def test_a_list_longer_than_a_page_is_whole(active: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    cmids = {asked(active, number, f"pc-{number}") for number in range(1, 6)}
    monkeypatch.setattr(machine_list, "PAGE", 2)
    listed = [row["cmid"] for row in active.data("clients")["clients"]]
    assert sorted(listed) == sorted(cmids)
    assert len(active.data("clients", "--limit", "3")["clients"]) == 3
