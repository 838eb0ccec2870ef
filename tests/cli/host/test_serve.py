"""`muster host serve` as a process, and what is shown of it meanwhile."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest
from tests.cli.host.conftest import Desk, ask, dns_words, serve, stop
from tests.host.conftest import Machine
from tests.host.processes import eventually

from muster.cli import compose
from muster.core.products import DAY
from muster.testing.nanodns import NanoDNS, Trouble

pytestmark = pytest.mark.real


def test_serve_status_clients_log(active: Desk) -> None:
    process, line = serve("--port", "0", "--no-dns", "--json")
    try:
        port = int(json.loads(line)["port"])
        assert [ask(active, port, number) for number in range(1, 6)] == [409] * 4 + [200]
        assert ask(active, port, 6, key=Machine(1).key) == 409
        assert ask(active, port, 7, "unknown") == 404
        status = active.data("status")
        (application,) = status["applications"]
        assert (application["count"], application["addresses"]) == (5, 1)
        assert {one["product"]: one["met"] for one in application["products"]} == {
            "desktop-pro": False,
            "desktop-enterprise": False,
            "server-standard": True,
        }
        assert status["requests"]["total"] == 7
        assert status["requests"]["failed"] == 2
        assert status["requests"]["by_state"]["2"] == 7
        assert status["listening"] == {"address": "127.0.0.1", "port": port}
        text = active.text("status")
        assert "Current count:             5" in text
        assert f"Listening on port:           {port}" in text
        assert "Initial grace period:      7" in text
        # A running host follows a setting within its next transaction.
        active.data("set", "retry_interval", "900")
        clients = active.data("clients")["clients"]
        assert len(clients) == 5
        first = next(one for one in clients if one["cmid"] == Machine(1).cmid)
        assert (first["duplicates"], first["applications"]) == (1, {"os": True})
        last = next(one for one in clients if one["cmid"] == Machine(5).cmid)
        assert last["leases"][0]["expires_at"] - last["leases"][0]["issued_at"] == 180 * DAY
        assert "CLONES" in active.text("clients")
        assert active.data("clients", "remove", Machine(5).cmid.upper())["given_back"] == 2
        assert not active.data("clients", "remove", Machine(5).cmid)["changed"]
        assert active.data("status")["applications"][0]["count"] == 4
        missing = active.error("clients", "remove", Machine(9).cmid, code=2)
        assert missing == "host/unknown-machine"
        assert active.error("clients", "remove", "rubbish", code=2) == "id/grammar"
        requests = active.data("log")["requests"]
        assert [one["field_code"] for one in requests] == ["0xC004F038"] * 4 + [
            "",
            "",
            "0xC004F042",
        ]
        assert [one["code"] for one in requests][4:] == [
            "",
            "host/duplicate-cmid",
            "host/not-served",
        ]
        assert len(active.data("log", "--cmid", Machine(2).cmid)["requests"]) == 1
        (shown,) = active.text("log", "--limit", "1").splitlines()
        assert shown.split("  ")[1].startswith("0xC004F042,0,127.0.0.1,")
        events = [one["event"] for one in active.data("log", "--audit")["audit"]]
        assert events == [
            "host:store:init",
            "host:key:install",
            "host:grant:accept",
            "host:setting:change",
            "host:machine:remove",
        ]
        actor = compose.actor()
        for row in active.data("log", "--audit")["audit"]:
            assert (row["actor"], row["sudo"]) == (actor.name, actor.detail.get("sudo", ""))
        assert f"  {actor.name}" in active.text("log", "--audit").splitlines()[-1]
        cells = list(csv.DictReader(io.StringIO(active.text("log", "--audit", "--csv"))))
        assert [row["event"] for row in cells] == events
        assert {row["actor"] for row in cells} == {actor.name}
    finally:
        stop(process)


def test_serve_publishes_and_withdraws(active: Desk, zone: NanoDNS) -> None:
    process, line = serve("--port", "0", *dns_words(active, zone), "--withdraw-on-stop")
    try:
        port = int(line.rsplit(" ", 1)[1].rstrip(".\n"))
        name = "_contoso._sub._muster._tcp.example.test"
        wanted = [f"0 0 {port} host.example.test."]
        assert eventually(lambda: zone.records(name, "SRV") == wanted)
        assert eventually(lambda: bool(active.data("status")["dns"]))
    finally:
        stop(process)
    assert zone.records(name, "SRV") == []


def test_a_refused_update_is_printed_and_serving_goes_on(active: Desk, zone: NanoDNS) -> None:
    zone.trouble(Trouble.REFUSED)
    process, line = serve("--port", "0", *dns_words(active, zone))
    try:
        port = int(line.rsplit(" ", 1)[1].rstrip(".\n"))
        assert eventually(lambda: bool(active.data("status")["dns"]))
        assert ask(active, port, 1) == 409
    finally:
        _, err = stop(process)
    assert "dns/refused" in err
    assert f"_muster._tcp.example.test. 3600 IN SRV 0 0 {port} host.example.test." in err
    assert "update add" in err


def test_a_taken_port_is_told(active: Desk) -> None:
    process, line = serve("--port", "0", "--no-dns", "--json")
    try:
        port = str(json.loads(line)["port"])
        words = ("serve", "--bind", "127.0.0.1", "--no-dns", "--port")
        # The store is served, whatever the port; and another store's host cannot have this one.
        assert active.error(*words, "0", code=1) == "file/served"
        other = active.folder / "other"
        shutil.copytree(active.folder / "store", other, ignore=shutil.ignore_patterns("*.sock"))
        assert active.error(*words, port, "--store", str(other), code=3) == "net/port-taken"
    finally:
        stop(process)


def test_a_damaged_database_is_told_and_left_alone(active: Desk) -> None:
    path = active.folder / "store" / "host" / "host.db"
    damaged = path.read_bytes()[:5000]
    path.write_bytes(damaged)
    for log in path.parent.glob("host.db-*"):
        log.unlink()
    assert active.error("status", code=3) == "db/corrupt"
    assert active.error("serve", "--port", "0", code=3) == "db/corrupt"
    assert path.read_bytes() == damaged
