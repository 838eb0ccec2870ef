"""`muster client identity`, `facts` and `reset-clock-mark`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.client.conftest import Desk

from muster.testing.world import machine_facts

pytestmark = pytest.mark.real


def test_identities(desk: Desk) -> None:
    add = ("product", "add", str(desk.descriptor), "--identity")
    assert desk.error(*add, "explicit", code=2) == "client/identity-id"
    assert desk.data(*add, "device")["identity"] == "device"
    first = desk.data("identity")["identities"][0]
    assert first["mode"] == "device"
    assert desk.data("identity", "device")["changed"] is False
    assert desk.data("identity", "machine")["changed"] is True
    assert desk.data("identity")["identities"][0]["cmid"] != first["cmid"]
    assert desk.error(*add, "device", code=1) == "client/identity-known"


def test_facts_are_listed_and_never_shown(desk: Desk, tmp_path: Path) -> None:
    shown = desk.client("facts")
    assert "yes  system-uuid" in shown
    secret = machine_facts("pc-1")
    assert not any(value in shown for name, value in secret.items() if name != "cpu-model")
    told = {one["name"]: one for one in desk.data("facts")["facts"]}
    assert len(told) == 8
    assert told["system-uuid"]["readings"][0]["binds"]
    assert told["product-serial"]["counts"]
    assert not told["product-serial"]["readings"][0]["binds"]
    assert told["machine-id"]["present"]
    assert not told["machine-id"]["counts"]
    assert told["machine-id"]["readings"][0]["text"] == "does not count: carried by the image"
    assert told["cloud-instance"]["readings"][0]["text"] == "not there"
    assert "carried by the image" in shown
    assert secret["system-uuid"] in desk.client("facts", "--values")
    path = tmp_path / "run" / "facts.json"
    assert desk.data("facts", "--write", "--facts", str(path))["file"] == str(path)
    assert json.loads(path.read_text())["v"] == 1


def test_a_facts_file_shows_what_does_not_count_beside_the_rest(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "guest.json"
    disk = {"disk-serial": "naa.60022480b3c0a1e2f4d51a6e9d0c7b11"}
    for cards, why in (
        ({"permanent-macs": "00:0d:3a:5e:0a:00"}, "does not count: copied with the virtual disk"),
        ({}, "counts"),
    ):
        path.write_text(json.dumps({"v": 1, "facts": {**disk, **cards}}))
        path.chmod(0o600)
        told = {one["name"]: one for one in desk.data("facts", "--facts", str(path))["facts"]}
        assert told["disk-serial"]["readings"][0]["text"] == why
        assert told["disk-serial"]["counts"] is not bool(cards)
        assert told["permanent-macs"]["counts"] is bool(cards)


def test_the_clock_mark_is_reset_once(ready: Desk) -> None:
    ready.client("activate")
    assert ready.data("reset-clock-mark")["changed"] is True
    assert ready.data("reset-clock-mark")["changed"] is False
