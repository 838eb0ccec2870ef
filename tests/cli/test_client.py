"""`muster client …` as a person or a script types it; a real host on a socket answers."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from tests.cli.client.conftest import PRODUCT, Desk, desk

from muster.cli.main import muster

__all__ = ["desk"]


pytestmark = pytest.mark.real


def test_the_whole_life_of_a_machine(desk: Desk) -> None:
    added = desk.data("product", "add", str(desk.descriptor))
    assert (added["product"], added["state"], added["changed"]) == (PRODUCT, 2, True)
    assert added["key"].startswith("XXXXX-")
    assert desk.data("product", "add", str(desk.descriptor))["changed"] is False
    assert desk.data("install-key", desk.setup_key)["changed"] is False
    assert desk.data("set-host", desk.served.address.text)["changed"] is True
    assert desk.data("set-host", desk.served.address.text)["changed"] is False
    assert desk.client("status", "--check", code=1).startswith("Product:")

    done = desk.data("activate")
    assert done["changed"] is True
    (product,) = done["products"]
    assert (product["state"], product["licensed"], product["renewed"]) == (1, True, True)
    assert product["licence"]["count"] == 50  # a host tells no more than twice the need
    assert product["tried"] == [
        {
            "host": desk.served.address.text,
            "source": "set",
            "domain": "",
            "file": "",
            "error": None,
        }
    ]
    again = desk.data("activate", "--if-due")
    assert (again["changed"], again["products"][0]["due"]) == (False, False)

    (shown,) = desk.data("status")["products"]
    assert shown["why"] is None
    assert shown["until"] == product["licence"]["expires_at"]
    assert shown["set_host"] == desk.served.address.text
    assert shown["last_ip"] == "127.0.0.1"
    assert desk.client("status", "--check") != ""
    assert desk.data("wait", "--timeout", "0")["licensed"] is True

    out = desk.store.parent / "licence.json"
    assert desk.data("licence", "--out", str(out))["changed"] is True
    assert desk.data("licence", "--out", str(out))["changed"] is False
    verified = json.loads(desk.type("verify", str(out), "--json").stdout)
    assert verified["good"] is True
    assert [one["outcome"] for one in verified["steps"]] == ["passed"] * 12

    assert desk.data("release")["host"] == desk.served.address.text
    assert desk.data("status")["products"][0]["state"] == 0
    assert desk.error("release", code=1) == "client/nothing-to-release"
    assert desk.data("uninstall-key")["changed"] is True
    assert desk.error("activate", code=1) == "client/no-key"
    assert desk.data("install-key", desk.setup_key)["state"] == 2
    events = [one["event"] for one in desk.data("history")["history"]]
    assert events == [
        "client:product:add",
        "client:setting:change",
        "client:licence:accept",
        "client:licence:release",
        "client:key:remove",
        "client:key:install",
    ]
    desk.client("product", "remove", PRODUCT)
    assert desk.error("status", code=1) == "client/no-product"


def test_nothing_is_asked_on_a_pipe_and_every_command_has_help() -> None:
    from muster.cli.client import client

    for name in client.list_commands(None):  # type: ignore[arg-type]
        done = CliRunner().invoke(muster, ["client", name, "--help"], input="")
        assert done.exit_code == 0
        assert "--json" in done.output or name in ("product", "catalogue")
