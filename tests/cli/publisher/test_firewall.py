"""`muster publisher firewall`: loopback needs no rule, another address does."""

from __future__ import annotations

import pytest
from tests.cli.publisher.conftest import CHEAP, Desk, empty

__all__ = ["empty"]


def test_the_settings_decide_while_nothing_runs(
    empty: Desk, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = tmp_path_factory.mktemp("away") / "reserve.key"
    assert empty.run("init", "--sample", "--reserve-root", str(reserve), *CHEAP).exit_code == 0
    assert "no rule is needed" in empty.run("firewall").stdout
    monkeypatch.setenv("MUSTER_PUBLISHER_BIND", "192.0.2.7")
    monkeypatch.setenv("MUSTER_PUBLISHER_PORT", "443")
    assert empty.run("firewall", "--tool", "ufw").stdout == (
        "ufw allow 443/tcp comment 'muster-publisher'\n"
    )
