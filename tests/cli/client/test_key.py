"""`muster client install-key`."""

from __future__ import annotations

import pytest
from tests.cli.client.conftest import Desk

pytestmark = pytest.mark.real


def test_mistakes_with_keys(ready: Desk) -> None:
    publisher = ready.served.publisher
    assert ready.error("install-key", publisher.host_key("desktop").text, code=1) == (
        "client/host-key"
    )
    assert ready.error("install-key", "BBBBB-BBBBB-BBBBB-BBBBB-BBBBC", code=2) == "key/check"
    assert ready.error("install-key", "what", code=2) == "key/symbol"
