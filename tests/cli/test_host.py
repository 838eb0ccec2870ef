"""`muster host …` as an administrator or a script types it; publisher and DNS answer for real."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.host.conftest import Machine, answer_of, body_meeting
from tests.host.processes import eventually

from muster.cli import compose
from muster.core.catalogue import error
from muster.core.identity import nonce_of, nonce_prefix
from muster.core.keys import Kind
from muster.core.products import DAY
from muster.net.dnsupdate import TSIGKey
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.system.facts import facts_file
from muster.testing.nanodns import NanoDNS, Trouble
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.exchange import read_request_file

pytestmark = pytest.mark.real

FACTS = {"system-uuid": "4c4c4544-0042-3510-8052-b4c04f4d3132"}


class Desk:
    """An administrator at a host. `host` runs a command and checks its exit code."""

    def __init__(self, folder: Path, publisher: TinyPublisher) -> None:
        self.folder = folder
        self.publisher = publisher
        self.file = folder / "contoso.muster"
        self.file.write_bytes(publisher.file().encode())

    def type(self, *words: str, code: int = 0) -> Result:
        if words[0] == "install-key":
            words = (*words, "--facts", str(self.folder / "facts.json"))
        from muster.cli.main import muster

        done = CliRunner().invoke(muster, ("host", *words), catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    def text(self, *words: str, code: int = 0) -> str:
        return self.type(*words, code=code).stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.type(*words, "--json", code=code).stdout)
        assert isinstance(value, dict)
        return value

    def error(self, *words: str, code: int) -> str:
        """The code of a refusal, the same in JSON and in text, which also tells the fix."""
        found = self.data(*words, code=code)["error"]
        shown = self.type(*words, code=code).stderr
        assert found["code"] in shown
        assert "Fix:" in shown
        return str(found["code"])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(FACTS))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return Desk(tmp_path, TinyPublisher("contoso", now=compose.clock().now() - 3600))


@pytest.fixture
def made(desk: Desk) -> Desk:
    """A host that knows the publisher."""
    desk.data("init", "--publisher", str(desk.file))
    return desk


@pytest.fixture
def active(made: Desk) -> Desk:
    """A host that is activated for desktops and servers."""
    made.data("install-key", made.publisher.host_key("server").text)
    with ThreadServer(made.publisher.door()) as server:
        assert made.data("activate", "--publisher-url", server.url)["changed"]
    return made


# Enrolment.


def test_without_init_every_command_says_what_to_do(desk: Desk) -> None:
    for words in (
        ("status",),
        ("clients",),
        ("log",),
        ("set",),
        ("serve",),
        ("activate",),
        ("publish-dns",),
        ("catalogue", "fetch"),
        ("install-key", desk.publisher.host_key("server").text),
    ):
        assert desk.error(*words, code=2) == "host/not-initialised"
    assert not (desk.folder / "store").exists()


def test_init_twice(desk: Desk) -> None:
    first = desk.data("init", "--publisher", str(desk.file))
    assert first["changed"]
    assert first["publishers"][0]["publisher"] == desk.publisher.publisher
    assert not desk.data("init", "--publisher", str(desk.file))["changed"]
    assert "nothing was changed" in desk.text("init", "--publisher", str(desk.file))


def test_two_publishers_at_once(desk: Desk) -> None:
    other = TinyPublisher("fabrikam", now=desk.publisher.now)
    second = desk.folder / "fabrikam.muster"
    second.write_bytes(other.file().encode())
    done = desk.data("init", "--publisher", str(desk.file), "--publisher", str(second))
    assert [one["label"] for one in done["publishers"]] == ["contoso", "fabrikam"]
    assert desk.data("remove-publisher", "fabrikam")["changed"]
    assert desk.error("remove-publisher", "fabrikam", code=2) == "host/unknown-publisher"
    assert [one["label"] for one in desk.data("status")["publishers"]] == ["contoso"]


def test_a_file_that_is_none(desk: Desk) -> None:
    desk.file.write_bytes(b'{"file":"muster-reply"}')
    assert desk.error("init", "--publisher", str(desk.file), code=2) == "wire/not-exchange"
    desk.file.write_bytes(desk.publisher.file().encode()[:-500])
    assert desk.error("init", "--publisher", str(desk.file), code=2) == "wire/not-exchange"
    missing = str(desk.folder / "missing")
    assert desk.error("init", "--publisher", missing, code=3) == "file/missing"


def test_keys_of_other_kinds(made: Desk) -> None:
    publisher = made.publisher
    stranger = TinyPublisher("fabrikam", now=publisher.now)
    for key, code, exit_code in (
        (publisher.key(Kind.SETUP, 1), "host/key-setup", 2),
        (publisher.key(Kind.MAK, 1), "host/key-mak", 2),
        (publisher.key(Kind.RETAIL, 1), "host/key-machine", 2),
        (stranger.host_key("server"), "host/key-publisher", 2),
        (publisher.key(Kind.HOST, 99), "host/key-group", 1),
    ):
        assert made.error("install-key", key.text, code=exit_code) == code
    good = publisher.host_key("server").text
    assert made.error("install-key", good[:-1], code=2) == "key/length"
    assert made.error("install-key", good[1] + good[0] + good[2:], code=2) in (
        "key/check",
        "key/symbol",
    )


def test_online_activation_twice(made: Desk) -> None:
    key = made.publisher.host_key("server").text
    assert made.data("install-key", key)["changed"]
    assert not made.data("install-key", key.lower().replace("-", " "))["changed"]
    assert made.error("activate", code=2) == "host/no-url"
    with ThreadServer(made.publisher.door()) as server:
        done = made.data("activate", "--publisher-url", server.url)
        assert done["changed"]
        assert done["activated"][0]["covers"] == ["desktop", "server"]
        assert not made.data("activate", "--publisher-url", server.url)["changed"]
    assert "nothing was changed" in made.text("activate")
    assert made.data("status")["publishers"][0]["serving"]


def test_the_publishers_refusal_is_shown_as_it_words_it(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    made.publisher._issued.clear()
    with ThreadServer(made.publisher.door()) as server:
        assert made.error("activate", "--publisher-url", server.url, code=1) == "key/tag"
    assert made.error("activate", "--publisher-url", server.url, code=3).startswith("net/")
    assert made.error("activate", "--publisher-url", "ftp://x", code=2).startswith("net/")


def test_activation_by_file(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    request, reply = made.folder / "request", made.folder / "reply"
    assert made.data("activate", "--request", str(request))["changed"]
    assert not made.data("activate", "--request", str(request))["changed"]
    asked = read_request_file(request.read_bytes())
    reply.write_bytes(made.publisher.reply(asked).encode())
    assert made.data("activate", "--reply", str(reply))["changed"]
    assert not made.data("activate", "--reply", str(reply))["changed"]
    nothing = made.data("activate", "--request", str(request))
    assert nothing.pop("changed") is False
    assert set(nothing.values()) == {None}
    reply.write_bytes(b"{}")
    assert made.error("activate", "--reply", str(reply), code=2) == "wire/not-exchange"


def test_activation_by_telephone(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    shown = made.text("activate", "--telephone")
    digits = made.data("activate", "--telephone")["installation_id"]
    assert all(group in shown for group in digits.split("-"))
    back = made.publisher.confirm(digits).confirmation_id
    wrong = back[:-1] + str((int(back[-1]) + 1) % 10)
    assert made.error("activate", "--confirmation-id", wrong, code=2) == "digits/group"
    assert made.data("activate", "--confirmation-id", back.replace("-", " "))["changed"]


def test_a_host_without_keys_and_one_with_several(made: Desk) -> None:
    assert made.error("activate", code=2) == "host/no-key"
    for group in ("server", "office"):
        made.data("install-key", made.publisher.host_key(group).text)
    request = str(made.folder / "request")
    assert made.error("activate", "--request", request, code=2) == "host/which-key"
    assert made.error("activate", "--telephone", "--key", "ABCDE", code=2) == "host/unknown-key"
    last = made.data("status")["publishers"][0]["keys"][1]["partial"]
    assert made.data("activate", "--request", request, "--key", last)["partial"] == last
    assert made.data("remove-key", last)["changed"]
    assert made.error("remove-key", last, code=2) == "host/unknown-key"
    assert made.type("activate", "--telephone", "--request", request, code=2)


def test_terms_are_asked_for_after_the_telephone(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("limited").text)
    digits = made.data("activate", "--telephone")["installation_id"]
    answer = made.publisher.confirm(digits)
    assert "terms" in made.text("activate", "--confirmation-id", answer.confirmation_id)
    status = made.data("status")["publishers"][0]
    assert status["keys"][0]["grant"]["code"] == "host/terms-required"
    request, reply = made.folder / "request", made.folder / "reply"
    last = status["keys"][0]["partial"]
    made.data("activate", "--request", str(request), "--key", last)
    asked = read_request_file(request.read_bytes())
    reply.write_bytes(made.publisher.reply(asked, limit=7).encode())
    assert made.data("activate", "--reply", str(reply))["changed"]
    status = made.data("status")["publishers"][0]
    assert status["serving"]
    assert status["keys"][0]["terms"]["limit"] == 7
    assert "0 of 7 seats taken" in made.text("status")


def test_catalogues_by_file_and_fetched(active: Desk) -> None:
    publisher = active.publisher
    publisher.rotate()
    publisher.publish([publisher.new_product("desktop-8")])
    active.file.write_bytes(publisher.file().encode())
    done = active.data("catalogue", "import", str(active.file))
    assert (done["changed"], done["trust"], done["catalogue"]) == (True, 2, 2)
    assert not active.data("catalogue", "import", str(active.file))["changed"]
    for _ in range(3):
        publisher.rotate()
    publisher.publish()
    with ThreadServer(publisher.door()) as server:
        done = active.data("catalogue", "fetch", "--publisher-url", server.url)
        assert done["changed"]
        assert (done["publishers"][0]["trust"], done["publishers"][0]["catalogue"]) == (5, 3)
        again = active.data("catalogue", "fetch", "--publisher-url", server.url)
        assert not again["changed"]
    stranger = TinyPublisher("fabrikam", now=publisher.now)
    active.file.write_bytes(stranger.file().encode())
    found = active.error("catalogue", "import", str(active.file), code=2)
    assert found == "host/unknown-publisher"


# Settings.


def test_settings(made: Desk) -> None:
    assert made.data("set", "renewal-interval")["value"] == 604_800
    assert "as each product says" in made.text("set", "renewal-interval")
    first = made.data("set", "renewal-interval", "2000000")
    assert first["changed"]
    assert "15 days" in first["warning"]
    assert not made.data("set", "renewal_interval", "2000000")["changed"]
    assert made.data("set", "retry_interval", "900")["warning"] is None
    for value in ("899", "2592001", "soon", ""):
        assert made.error("set", "retry_interval", value, code=2) == "settings/value"
    assert made.error("set", "retry", "900", code=2) == "settings/unknown"
    assert made.data("set", "allowed-networks", "10.0.0.0/8, 192.0.2.0/24")["changed"]
    assert made.error("set", "allowed-networks", "10.0.0.1/8", code=2) == "settings/value"
    assert made.data("set", "publish-dns", "off")["value"] is False
    assert made.data("set")["settings"]["publish_dns"] == {"value": False, "set": True}
    assert made.data("set", "publish-dns", "--unset")["changed"]
    assert not made.data("set", "publish-dns", "--unset")["changed"]
    assert "DNS publishing:              enabled" in made.text("status")


def test_the_environment_wins_and_says_so(made: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_HOST_RETRY_INTERVAL", "1000")
    assert made.data("set", "retry_interval", "900")["overridden"]
    assert "MUSTER_HOST_RETRY_INTERVAL" in made.text("set", "retry_interval", "901")
    assert made.data("set", "retry_interval")["value"] == 1000


# DNS.


@pytest.fixture
def zone(desk: Desk) -> Iterator[NanoDNS]:
    key = TSIGKey("host-key", "hmac-sha256", b"k" * 32)
    (desk.folder / "tsig").write_text(
        'key "host-key" { algorithm hmac-sha256;'
        ' secret "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="; };\n'
    )
    with NanoDNS("example.test", keys=[key]) as dns:
        yield dns


def dns_words(desk: Desk, zone: NanoDNS) -> tuple[str, ...]:
    return (
        *("--dns-server", zone.server, "--dns-zone", "example.test"),
        *("--tsig-key", str(desk.folder / "tsig"), "--advertise", "host.example.test"),
    )


def test_publishing_by_hand(active: Desk, zone: NanoDNS) -> None:
    words = ("publish-dns", *dns_words(active, zone))
    done = active.data(*words)
    assert done["changed"]
    assert done["zones"][0]["added"] == 2
    assert not active.data(*words)["changed"]
    assert zone.records("_muster._tcp.example.test", "SRV") == ["0 0 16880 host.example.test."]
    printed = active.data(*words, "--print")
    assert printed["zones"][0]["records"] == done["zones"][0]["records"]
    assert "update add" in active.text(*words, "--print")
    assert active.data(*words, "--withdraw")["changed"]
    assert not active.data(*words, "--withdraw")["changed"]
    assert zone.records("_muster._tcp.example.test", "SRV") == []
    zone.trouble(Trouble.REFUSED)
    assert active.error(*words, code=1) == "dns/refused"
    assert "IN SRV 0 0 16880" in active.text(*words, code=1)
    assert "dns/refused" in active.text("status")


def test_who_serves_nobody_publishes_nothing(made: Desk, zone: NanoDNS) -> None:
    assert made.error("publish-dns", *dns_words(made, zone), code=2) == "host/no-key"
    assert "does not serve anybody" in made.text("publish-dns", *dns_words(made, zone), "--print")


# Serving and looking, with a real process.


def serve(*words: str) -> tuple[subprocess.Popen[str], str]:
    """Start `muster host serve` and return it with its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "muster", "host", "serve", "--bind", "127.0.0.1", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def stop(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


def ask(desk: Desk, port: int, number: int, product: str = "server-standard", **more: Any) -> int:
    machine, now = Machine(number), compose.clock().now()
    asked = machine.request(desk.publisher.publisher, product, now, **more)
    body, http = asked.body, HTTPClient(timeout=30)
    while True:
        url = f"http://127.0.0.1:{port}/v1/activate"
        answer = http.request("POST", url, body, {"Content-Type": "application/json"})
        key = more.get("key", machine.key)
        body = body_meeting(asked, key, answer.status, answer.body)
        if not body:
            return answer.status


def test_serve_status_clients_log(active: Desk) -> None:
    process, line = serve("--port", "0", "--no-dns", "--json")
    try:
        port = int(json.loads(line)["port"])
        assert [ask(active, port, number) for number in range(1, 6)] == [409] * 4 + [200]
        assert ask(active, port, 6, key=Machine(1).key) == 409
        assert ask(active, port, 7, "unknown") == 404
        status = active.data("status")
        (application,) = status["applications"]
        assert (application["count"], application["addresses"]) == (5, 1)
        assert {one["product"]: one["met"] for one in application["products"]} == {
            "desktop-pro": False,
            "desktop-enterprise": False,
            "server-standard": True,
        }
        assert status["requests"]["total"] == 7
        assert status["requests"]["failed"] == 2
        assert status["requests"]["by_state"]["2"] == 7
        assert status["listening"] == {"address": "127.0.0.1", "port": port}
        text = active.text("status")
        assert "Current count:             5" in text
        assert f"Listening on port:           {port}" in text
        assert "Initial grace period:      7" in text
        # A running host follows a setting within its next transaction.
        active.data("set", "retry_interval", "900")
        clients = active.data("clients")["clients"]
        assert len(clients) == 5
        first = next(one for one in clients if one["cmid"] == Machine(1).cmid)
        assert (first["duplicates"], first["applications"]) == (1, {"os": True})
        last = next(one for one in clients if one["cmid"] == Machine(5).cmid)
        assert last["leases"][0]["expires_at"] - last["leases"][0]["issued_at"] == 180 * DAY
        assert "CLONES" in active.text("clients")
        assert active.data("clients", "remove", Machine(5).cmid.upper())["given_back"] == 2
        assert not active.data("clients", "remove", Machine(5).cmid)["changed"]
        assert active.data("status")["applications"][0]["count"] == 4
        missing = active.error("clients", "remove", Machine(9).cmid, code=2)
        assert missing == "host/unknown-machine"
        assert active.error("clients", "remove", "rubbish", code=2) == "id/grammar"
        requests = active.data("log")["requests"]
        assert [one["field_code"] for one in requests] == ["0xC004F038"] * 4 + [
            "",
            "",
            "0xC004F042",
        ]
        assert [one["code"] for one in requests][4:] == [
            "",
            "host/duplicate-cmid",
            "host/not-served",
        ]
        assert len(active.data("log", "--cmid", Machine(2).cmid)["requests"]) == 1
        (shown,) = active.text("log", "--limit", "1").splitlines()
        assert shown.split("  ")[1].startswith("0xC004F042,0,127.0.0.1,")
        events = [one["event"] for one in active.data("log", "--audit")["audit"]]
        assert events == [
            "host:store:init",
            "host:key:install",
            "host:grant:accept",
            "host:setting:change",
            "host:machine:remove",
        ]
    finally:
        stop(process)


def test_serve_publishes_and_withdraws(active: Desk, zone: NanoDNS) -> None:
    process, line = serve("--port", "0", *dns_words(active, zone), "--withdraw-on-stop")
    try:
        port = int(line.rsplit(" ", 1)[1].rstrip(".\n"))
        name = "_contoso._sub._muster._tcp.example.test"
        wanted = [f"0 0 {port} host.example.test."]
        assert eventually(lambda: zone.records(name, "SRV") == wanted)
        assert eventually(lambda: bool(active.data("status")["dns"]))
    finally:
        stop(process)
    assert zone.records(name, "SRV") == []


def test_a_refused_update_is_printed_and_serving_goes_on(active: Desk, zone: NanoDNS) -> None:
    zone.trouble(Trouble.REFUSED)
    process, line = serve("--port", "0", *dns_words(active, zone))
    try:
        port = int(line.rsplit(" ", 1)[1].rstrip(".\n"))
        assert eventually(lambda: bool(active.data("status")["dns"]))
        assert ask(active, port, 1) == 409
    finally:
        _, err = stop(process)
    assert "dns/refused" in err
    assert f"_muster._tcp.example.test. 3600 IN SRV 0 0 {port} host.example.test." in err
    assert "update add" in err


def test_a_taken_port_is_told(active: Desk) -> None:
    process, line = serve("--port", "0", "--no-dns", "--json")
    try:
        port = str(json.loads(line)["port"])
        words = ("serve", "--bind", "127.0.0.1", "--port", port, "--no-dns")
        assert active.error(*words, code=3) == "net/port-taken"
    finally:
        stop(process)


def test_a_damaged_database_is_told_and_left_alone(active: Desk) -> None:
    path = active.folder / "store" / "host" / "host.db"
    damaged = path.read_bytes()[:5000]
    path.write_bytes(damaged)
    for log in path.parent.glob("host.db-*"):
        log.unlink()
    assert active.error("status", code=3) == "db/corrupt"
    assert active.error("serve", "--port", "0", code=3) == "db/corrupt"
    assert path.read_bytes() == damaged


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


@pytest.mark.parametrize("name", ["a\nb", "x" * 65, "\x1b[2J", " padded "])
def test_a_name_that_cannot_be_sent_is_refused_where_it_is_typed(made: Desk, name: str) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    assert made.type("activate", "--name", name, code=2)


def test_a_name_is_in_the_request_file_only_where_one_was_given(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    file = made.folder / "request"
    made.data("activate", "--request", str(file))
    assert read_request_file(file.read_bytes()).request.name == ""
    made.data("activate", "--request", str(file), "--name", "Main building")
    assert read_request_file(file.read_bytes()).request.name == "Main building"


def test_help_names_every_command() -> None:
    from muster.cli.main import muster

    shown = CliRunner().invoke(muster, ("host", "--help")).stdout
    for name in (
        *("init", "install-key", "activate", "serve", "status", "clients", "log"),
        *("publish-dns", "catalogue", "set", "remove-key", "remove-publisher"),
    ):
        assert name in shown


def test_no_error_row_of_the_area_is_left_without_a_fix() -> None:
    from muster.core.error_rows import host

    for row in host.ROWS:
        assert row.code.startswith("host/")
        assert row.fix.endswith(".")
        fields = dict.fromkeys(row.fields(), "x")
        assert error(row.code, **fields).fix
