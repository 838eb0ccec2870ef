"""`muster client …` as a person or a script types it; a real host on a socket answers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import muster
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.tiny_host import Mood
from muster.testing.world import machine_facts

pytestmark = pytest.mark.real

PRODUCT = "desktop-pro"


class Desk:
    """Somebody at a machine. `type` runs a command and checks its exit code."""

    def __init__(self, folder: Path, served: LoopbackHost) -> None:
        self.served = served
        self.store = folder / "store"
        self.descriptor = folder / "descriptor.json"
        self.descriptor.write_bytes(served.publisher.descriptor(PRODUCT))
        self.descriptor.chmod(0o644)
        self.setup_key = served.publisher.catalogue.product(PRODUCT).setup_key

    def type(self, *words: str, code: int = 0) -> Result:
        if words[0] in ("client", "verify") and "--facts" not in words and "--help" not in words:
            words = (*words, "--facts", str(self.store.parent / "facts.json"))
        done = CliRunner().invoke(muster, words, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    def client(self, *words: str, code: int = 0) -> str:
        return self.type("client", *words, code=code).stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.type("client", *words, "--json", code=code).stdout)
        assert isinstance(value, dict)
        return value

    def error(self, *words: str, code: int) -> str:
        found = self.data(*words, code=code)["error"]
        assert found["what"]
        assert found["fix"]
        assert str(found["code"]) in self.type("client", *words, code=code).stderr
        return str(found["code"])


@contextlib.contextmanager
def seated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Somebody at a machine that nobody has used yet."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with LoopbackHost() as served:
        yield Desk(tmp_path, served)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with seated(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """The same with the product set up and the host set."""
    desk.client("product", "add", str(desk.descriptor))
    desk.client("set-host", desk.served.address.text)
    return desk


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
        {"host": desk.served.address.text, "source": "set", "domain": "", "error": None}
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
    ready.served.host.mood = Mood.SILENT
    assert ready.data("activate", code=3)["error"]["code"] == "net/timeout"


def test_mistakes_with_keys(ready: Desk) -> None:
    publisher = ready.served.publisher
    assert ready.error("install-key", publisher.host_key("desktop").text, code=1) == (
        "client/host-key"
    )
    assert ready.error("install-key", "BBBBB-BBBBB-BBBBB-BBBBB-BBBBC", code=2) == "key/check"
    assert ready.error("install-key", "what", code=2) == "key/symbol"


def test_descriptors_that_are_not_trusted(desk: Desk) -> None:
    desk.descriptor.chmod(0o666)
    add = ("product", "add", str(desk.descriptor))
    assert desk.error(*add, code=1) == "file/anchor"
    assert desk.data(*add, "--trust-file")["changed"] is True
    assert desk.error("product", "add", str(desk.store / "none"), code=3) == "file/missing"
    desk.descriptor.chmod(0o600)
    desk.descriptor.write_text("{}")
    assert desk.error(*add, code=1) == "descriptor/claims"


def test_finding_hosts(ready: Desk) -> None:
    found = ready.data("discover")
    assert found["set_host"] == ready.served.address.text
    (host,) = found["hosts"]
    assert host["serves"]["groups"] == ["desktop", "server"]
    assert "serves desktop, server" in ready.client("discover")
    assert ready.data("clear-host")["changed"] is True
    assert ready.data("clear-host")["changed"] is False
    assert ready.data("set-domain", "corp.test", "b.test")["suffixes"] == ["corp.test", "b.test"]
    assert ready.data("status")["products"][0]["suffixes"] == ["corp.test", "b.test"]
    assert ready.data("clear-domain")["changed"] is True
    assert ready.data("host-caching", "off")["changed"] is True
    assert ready.data("status")["products"][0]["host_caching"] is False
    assert ready.data("host-caching", "off")["changed"] is False
    assert ready.error("set-host", "a b", code=2) == "settings/value"


def test_a_setting_for_one_publisher_goes_before_that_of_the_machine(ready: Desk) -> None:
    publisher = ready.served.publisher.publisher
    ready.client("set-host", "other.test:1", "--publisher", publisher)
    assert ready.data("status")["products"][0]["set_host"] == "other.test:1"
    ready.client("clear-host", "--publisher", publisher)
    assert ready.data("status")["products"][0]["set_host"] == ready.served.address.text
    assert ready.error("set-host", "x", "--publisher", "../x", code=2) == "id/grammar"


def test_a_machine_without_a_domain_and_hosts_says_how_to_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.client("product", "add", str(desk.descriptor))
    monkeypatch.setenv("MUSTER_CLIENT_SUFFIXES", "corp.invalid")
    monkeypatch.setenv("MUSTER_CLIENT_NAMESERVER", "127.0.0.1:1")
    monkeypatch.setenv("MUSTER_CLIENT_TIMEOUT", "1")
    done = desk.data("activate", code=3)
    assert done["error"]["code"].startswith("net/dns-")
    found = desk.data("discover", code=3)
    assert found["hosts"] == []
    assert found["names"][0]["label"] == "_contoso._sub._muster._tcp.corp.invalid"


def test_products_are_listed_and_news_of_their_publisher_taken(ready: Desk) -> None:
    assert [one["product"] for one in ready.data("product", "list")["products"]] == [PRODUCT]
    file = ready.store.parent / "publisher.json"
    file.write_bytes(ready.served.publisher.file().encode())
    assert ready.data("catalogue", "import", str(file))["changed"]
    assert not ready.data("catalogue", "import", str(file))["changed"]


def test_hosts_are_asked_by_tls_or_not(ready: Desk) -> None:
    assert ready.data("host-tls", "on") == {"host_tls": True, "changed": True}
    assert ready.data("host-tls", "on") == {"host_tls": True, "changed": False}
    assert ready.data("host-tls", "off")["changed"]


def test_identities(desk: Desk) -> None:
    add = ("product", "add", str(desk.descriptor), "--identity")
    assert desk.error(*add, "node", code=1) == "client/identity-node"
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


def test_a_store_that_is_damaged_is_told_and_begun_anew(ready: Desk) -> None:
    ready.client("activate")
    publisher = ready.served.publisher.publisher
    state = ready.store / publisher / "state.json"
    whole = state.read_bytes()
    state.write_bytes(whole[: len(whole) // 2])
    (shown,) = ready.data("status")["products"]
    assert [one["code"] for one in shown["warnings"]] == ["client/store-recovered"]
    state.with_name("state.json.bak").write_bytes(b"")
    (shown,) = ready.data("status")["products"]
    assert shown["licensed"] is False
    assert shown["why"]["code"] == "client/store-damaged"
    assert ready.error("activate", code=3) == "client/store-damaged"
    added = ready.data("product", "add", str(ready.descriptor))
    assert added["changed"] is True
    assert [one["code"] for one in added["warnings"]] == ["client/store-damaged"]
    assert state.with_name("state.json.damaged").exists()
    assert ready.data("activate")["changed"] is True


def test_nothing_is_asked_on_a_pipe_and_every_command_has_help() -> None:
    from muster.cli.client import client

    for name in client.list_commands(None):  # type: ignore[arg-type]
        done = CliRunner().invoke(muster, ["client", name, "--help"], input="")
        assert done.exit_code == 0
        assert "--json" in done.output or name in ("product", "catalogue")
