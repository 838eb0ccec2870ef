"""`muster client set-…`."""

from __future__ import annotations

import pytest
from tests.cli.client.conftest import Desk

pytestmark = pytest.mark.real


def test_a_setting_for_one_publisher_goes_before_that_of_the_machine(ready: Desk) -> None:
    publisher = ready.served.publisher.publisher
    ready.client("set-host", "other.test:1", "--publisher", publisher)
    assert ready.data("status")["products"][0]["set_host"] == "other.test:1"
    ready.client("clear-host", "--publisher", publisher)
    assert ready.data("status")["products"][0]["set_host"] == ready.served.address.text
    assert ready.error("set-host", "x", "--publisher", "../x", code=2) == "id/grammar"
