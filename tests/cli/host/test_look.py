"""`muster host status`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.host.conftest import Desk
from tests.host.conftest import Machine, answer_of

from muster.cli import compose
from muster.core.identity import nonce_of, nonce_prefix

pytestmark = pytest.mark.real


def test_status_and_doctor_name_clones(active: Desk) -> None:
    """Two machines with one store ask in turn; nobody looks into tables for it."""
    machine = Machine(1)
    nonces = [nonce_of(bytes([number]) * 16) for number in range(4)]

    def ask(number: int, *before: int) -> None:
        asked = machine.request(
            active.publisher.publisher,
            "desktop-pro",
            compose.clock().now() + number,
            nonce=nonces[number],
            line=tuple(nonce_prefix(nonces[one]) for one in before),
        )
        with compose.host_database(None) as database:
            answer_of(compose.host_service(None, database), asked, machine.key, "192.0.2.7")

    def doctor() -> dict[str, Any]:
        from muster.cli.main import muster

        words = ("doctor", "--role", "host", "--dns-server", "127.0.0.1:9", "--json")
        (report,) = json.loads(CliRunner().invoke(muster, words).stdout)["reports"]
        (check,) = [one for one in report["checks"] if one["topic"] == "clones"]
        found: dict[str, Any] = check
        return found

    ask(0)
    ask(1, 0)
    ask(2, 0)  # the other machine, or this one after its store was put back
    assert doctor()["mark"] == "ok"
    assert "CLONES" not in active.text("status")
    ask(3, 0, 1)
    found = doctor()
    assert (found["mark"], found["what"].partition(" were")[0]) == ("warn", "Clones of one machine")
    assert "'muster host clients'" in found["fix"]
    assert re.search(r"CLONES: +found of one machine in 30 days", active.text("status"))
    assert active.data("status")["publishers"][0]["clones"] == 1


def test_status_shows_the_hardware_id_that_the_publisher_sees(active: Desk) -> None:
    key = active.data("status")["publishers"][0]["keys"][0]
    assert f"Hardware id:             {key['hardware']}, from system-uuid" in active.text("status")
