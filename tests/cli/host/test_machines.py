"""`muster host clients`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.cli.host.conftest import Desk
from tests.host.conftest import Machine, answer_of

from muster.cli import compose

pytestmark = pytest.mark.real


def test_names_are_shown_in_quotes_as_the_words_of_strangers(active: Desk) -> None:
    """A name can say what it likes and is never taken for a column of ours."""
    forged = 'pc"  192.0.2.1  seen 2030-01-01  counted for everything,0,1'
    with compose.host_database(None) as database:
        asked = Machine(1).request(active.publisher.publisher, "desktop-pro", compose.clock().now())
        asked = replace(asked, client=replace(asked.client, name=forged)).prove(Machine(1).key)
        answer_of(compose.host_service(None, database), asked, Machine(1).key, "192.0.2.7")
    quoted = json.dumps(forged)
    shown = active.text("clients")
    assert f"{asked.cmid}  {quoted}  192.0.2.7  seen " in shown
    assert active.text("log").rstrip().endswith(f",desktop-pro,{quoted}")
    assert active.data("clients")["clients"][0]["name"] == forged
    assert active.data("log")["requests"][0]["name"] == forged
    assert active.text("clients", "--silent") == "No machine is silent.\n"
    assert active.data("clients", "--silent")["clients"] == []
