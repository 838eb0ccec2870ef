"""`muster host log`."""

from __future__ import annotations

import csv
import io
import json

import pytest
from tests.cli.host.conftest import Desk, asked

pytestmark = pytest.mark.real


def test_names_are_shown_in_quotes_as_the_words_of_strangers(active: Desk) -> None:
    forged = 'pc"  192.0.2.1  seen 2030-01-01  counted for everything,0,1'
    asked(active, 7, forged)
    assert active.text("log").rstrip().endswith(f",desktop-pro,{json.dumps(forged)}")
    assert active.data("log")["requests"][0]["name"] == forged


def test_a_list_is_given_as_csv(active: Desk) -> None:
    first, second = asked(active, 1, 'Front "Desk", 2'), asked(active, 2, "=cmd|' /C calc'!A0")
    rows = list(csv.DictReader(io.StringIO(active.text("log", "--csv"))))
    names = {row["cmid"]: row["name"] for row in rows}
    assert names == {first: 'Front "Desk", 2', second: "'=cmd|' /C calc'!A0"}
    assert {row["publisher"] for row in rows} == {active.publisher.publisher}
