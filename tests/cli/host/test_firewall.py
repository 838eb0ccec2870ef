"""`firewall` of host and publisher: from settings while nothing runs, else from what runs."""

from __future__ import annotations

from tests.cli.host.conftest import Desk, desk, made, serve, stop

__all__ = ["desk", "made"]


def test_what_the_settings_say(made: Desk) -> None:
    made.data("set", "port", "16980")
    made.data("set", "allowed_networks", "10.0.0.0/8")
    data = made.data("firewall")
    assert (data["port"], data["networks"], data["running"]) == (16980, ["10.0.0.0/8"], False)
    lines = made.text("firewall", "--tool", "ufw").splitlines()
    assert lines == ["ufw allow proto tcp from 10.0.0.0/8 to any port 16980 comment 'muster-host'"]
    text = made.text("firewall")
    assert "when it runs" in text
    assert all(f"# {tool}" in text for tool in ("nftables", "ufw", "firewalld"))


def test_what_the_running_host_says(made: Desk) -> None:
    process, line = serve("--port", "0", "--no-dns")
    try:
        data = made.data("firewall")
        assert str(data["port"]) in line
        assert (data["running"], data["local"]) == (True, True)
        assert "no rule is needed" in made.text("firewall")
    finally:
        stop(process)
