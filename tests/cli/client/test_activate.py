"""`muster client activate`: what is refused, and who is silent."""

from __future__ import annotations

import pytest
from tests.cli.client.conftest import Desk

from muster.testing.tiny_host import Misbehaviour

pytestmark = pytest.mark.real


def test_a_refusal_is_an_exit_code_of_1_with_everything_that_a_script_needs(ready: Desk) -> None:
    ready.served.host.forget()
    done = ready.data("activate", code=1)
    assert done["error"]["code"] == "host/insufficient-count"
    assert done["error"]["field_code"] == "0xC004F038"
    assert done["error"]["params"]["count"] == 1
    assert done["error"]["params"]["need"] == 25
    assert done["error"]["retry"] == "later"
    (product,) = done["products"]
    assert product["state"] == 2
    assert product["next_attempt"] > product["last_attempt"]
    typed = ready.type("client", "activate", code=1)
    assert "got no new licence. License Status: Initial grace period" in typed.stdout
    assert "What: 1 of the 25 machines" in typed.stderr
    shown = ready.client("status")
    assert "Not licensed: host/insufficient-count (0xC004F038)" in shown
    assert ready.error("wait", "--timeout", "0", code=3) == "client/wait-over"


def test_a_host_that_is_silent_is_an_exit_code_of_3(
    ready: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_CLIENT_TIMEOUT", "1")
    ready.served.host.misbehaviour = Misbehaviour.SILENT
    assert ready.data("activate", code=3)["error"]["code"] == "net/timeout"


def test_hosts_are_asked_by_tls_or_not(ready: Desk) -> None:
    assert ready.data("host-tls", "on") == {"host_tls": True, "changed": True}
    assert ready.data("host-tls", "on") == {"host_tls": True, "changed": False}
    assert ready.data("host-tls", "off")["changed"]
