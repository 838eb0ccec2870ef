"""One walk over all commands of each wing: whatever `--help` lists is played, and prints its shape.

A command that nobody plays here fails, and so does an object that its published schema does not
allow. What the commands do is tested beside them; here only that each can be typed and what comes
of it has its shape.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli import printed
from tests.cli.client.conftest import PRODUCT
from tests.cli.client.conftest import seated as client_seated
from tests.cli.host.conftest import Desk as HostDesk
from tests.cli.host.conftest import ask, desk, dns_words, made, serve, stop, zone
from tests.cli.publisher.conftest import CHEAP, empty, serving
from tests.cli.publisher.conftest import Desk as PublisherDesk
from tests.cli.test_shapes import commands
from tests.docs.records import missing_test
from tests.host.conftest import Machine
from tests.house.wishes import Count, breaches, counted, unplayed

from muster.cli.main import muster
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key
from muster.core.text import instant_text
from muster.net.serve import ThreadServer
from muster.publisher.catalogue_file import sample
from muster.testing.nanodns import NanoDNS
from muster.wire.exchange import RequestFile, read_request_file
from muster.wire.publisher import ConfirmRequest

__all__ = ["desk", "empty", "made", "zone"]

pytestmark = pytest.mark.real

ELSEWHERE = {
    "demo": "tests/cli/test_demo.py::test_the_whole_story_ends_with_every_machine_licensed",
    "doctor": "tests/cli/test_doctor.py::test_a_healthy_machine_and_a_healthy_host",
    "slmgr": "tests/cli/test_slmgr.py::test_the_way_of_an_administrator",
    "verify": "tests/cli/test_verify.py::test_a_good_licence_of_any_machine",
}
"""Commands of no wing, and a test that plays each with `--json`."""


class Walk:
    """Plays commands of a wing with `--json`, judges what they print, and knows which were played.

    `type` runs the words behind `muster`, with `--json`, and returns the output.
    """

    def __init__(self, wing: str, run: Callable[[tuple[str, ...], int], str]) -> None:
        self.wing = wing
        self.played: set[str] = set()
        self._run = run

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        return self.judged(words, self._run((*words, "--json"), code))

    def judged(self, words: tuple[str, ...], output: str) -> dict[str, Any]:
        self.played.add(printed.judge((self.wing, *words), output))
        value = json.loads(output)
        assert isinstance(value, dict)
        return value

    def missing(self) -> set[str]:
        """Commands that `--help` lists and nobody played."""
        listed = {name for name in commands(muster) if name.startswith(f"{self.wing} ")}
        return listed - self.played


@pytest.fixture(autouse=True)
def wishes() -> Iterator[list[Count]]:
    """What every wish and question takes meanwhile, held to the two laws of the house."""
    with counted() as counts:
        yield counts
    assert not breaches(counts), "\n".join(breaches(counts))


def test_commands_of_no_wing_are_played_where_it_is_said() -> None:
    wings = ("client ", "host ", "manager ", "publisher ")
    assert {name for name in commands(muster) if not name.startswith(wings)} == set(ELSEWHERE)
    assert [missing_test(test) for test in ELSEWHERE.values()] == [None] * len(ELSEWHERE)


def test_every_command_of_a_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with client_seated(tmp_path, monkeypatch) as desk:
        walk = Walk("client", lambda words, code: desk.type("client", *words, code=code).stdout)
        publisher, folder = desk.served.publisher, desk.store.parent
        address, request = desk.served.address.text, folder / "request.json"
        for words in (
            ("product", "add", str(desk.descriptor)),
            ("set-host", address),
            ("install-key", desk.setup_key),
            ("activate",),
            ("licence", "--out", str(folder / "licence.json")),
            ("wait", "--timeout", "0"),
            ("product", "list"),
            ("status",),
            ("discover",),
            ("discover", "--no-probe"),
            ("release",),
            ("uninstall-key",),
            ("clear-host",),
            ("set-host", address),
            ("set-domain", "corp.test"),
            ("clear-domain",),
            ("set-publisher", "https://activation.test/"),
            ("clear-publisher",),
            ("host-caching", "on"),
            ("host-tls", "off"),
            ("identity",),
            ("identity", "machine"),
            ("reset-clock-mark",),
            ("facts",),
            ("history",),
            ("install-key", publisher.machine_key("desktop").text),
            ("activate", "--request", str(request)),
            ("installation-id", "--qr", str(folder / "code.svg")),
        ):
            walk(*words)
        walk("activate", code=1)  # nobody says where the publisher is
        digits = walk("installation-id")["installation_id"]
        walk("confirm", publisher.confirm(digits).confirmation_id)
        news = folder / "publisher.json"
        news.write_bytes(publisher.file().encode())
        walk("catalogue", "import", str(news))
        walk("product", "remove", PRODUCT)
        with short_folder() as run:
            keeper, line = started("client", "agent", "--run", run)
            try:
                walk.judged(("agent",), line)
            finally:
                stop(keeper)
        assert not walk.missing()


@contextmanager
def short_folder() -> Iterator[str]:
    """The path of a socket has 108 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="muster-") as folder:
        yield folder


def started(*words: str) -> tuple[subprocess.Popen[str], str]:
    """Start a command that serves, with `--json`, and return it with its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "muster", *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def test_every_command_of_a_host(made: HostDesk, zone: NanoDNS, wishes: list[Count]) -> None:
    walk = Walk("host", lambda words, code: made.type(*words, code=code).stdout)
    publisher, file, reply = made.publisher, str(made.file), made.folder / "reply"
    walk("init", "--publisher", file)
    last = walk("install-key", publisher.host_key("limited").text)["partial"]
    walk("activate", "--request", str(made.folder / "request"))
    walk("activate", "--telephone")
    asked = read_request_file((made.folder / "request").read_bytes())
    reply.write_bytes(publisher.reply(asked, limit=7).encode())
    walk("activate", "--reply", str(reply))
    walk("terms", "import", str(reply))
    walk("catalogue", "import", file)
    with ThreadServer(publisher.router()) as server:
        walk("terms", "fetch", "--publisher-url", server.url)
        walk("catalogue", "fetch", "--publisher-url", server.url)
    for words in (
        (),
        ("retry_interval",),
        ("retry_interval", "900"),
        ("retry_interval", "--unset"),
    ):
        walk("set", *words)
    walk("client-config", "--host", "kms1.corp.test", "--out", str(made.folder / "site.muster"))
    walk("firewall")
    walk("publish-dns", *dns_words(made, zone), "--print")
    walk("publish-dns", *dns_words(made, zone), "--port", "16880")
    walk("publish-dns", *dns_words(made, zone), "--withdraw")
    process, line = serve("--port", "0", "--no-dns", "--json")
    try:
        port = walk.judged(("serve",), line)["port"]
        assert ask(made, int(port), 1, "desktop-pro") in {200, 409}
        for words in (("status",), ("clients",), ("log",), ("log", "--audit")):
            walk(*words)
        assert walk("clients", "remove", Machine(1).cmid)["changed"]
    finally:
        stop(process)
    walk("check")
    walk("backup", str(made.folder / "backup"))
    walk("restore", str(made.folder / "backup"), "--merge")
    walk("remove-key", last)
    walk("remove-publisher", "contoso")
    assert not walk.missing()
    assert unplayed("host", wishes) == []


def test_every_command_of_a_publisher(
    empty: PublisherDesk, tmp_path: Path, wishes: list[Count]
) -> None:
    store = empty

    def run(words: tuple[str, ...], code: int) -> str:
        done = store.run(*words)
        assert done.exit_code == code, done.output
        return done.stdout

    def file(name: str) -> str:
        return str(tmp_path / name)

    walk = Walk("publisher", run)
    publisher = walk("init", "--sample", "--reserve-root", file("reserve.key"), *CHEAP)["publisher"]

    # What is sold, and to whom it is shown.
    walk("product", "list")
    walk("product", "show", "contoso-desktop-7-enterprise")
    walk("descriptor", "contoso-desktop-7-enterprise", "--out", file("desktop.json"))
    walk("export", file("contoso.publisher"))
    walk("firewall", "--tool", "nft")
    Path(file("next.toml")).write_bytes(sample())
    walk("catalogue", "show")
    walk("catalogue", "diff", file("next.toml"))
    walk("catalogue", "publish", file("next.toml"))

    # A host, by digits and by file.
    issue = ("key", "issue", "--group", "server-c", "--kind", "host")
    key = walk(*issue)["keys"][0]
    digits = store.request(key["key"], publisher)
    host = walk("host", "activate", "--installation-id", digits)["grant"]
    Path(file("request")).write_bytes(RequestFile(publisher, ConfirmRequest(digits)).encode())
    walk("host", "activate", "--request", file("request"), "--reply", file("reply"))
    walk("host", "list")
    walk("host", "terms", host, "--limit", "5", "--agreement", "A-1")
    walk("host", "release", host)
    other = walk(*issue)["keys"][0]
    digits = store.request(other["key"], publisher, 2)
    walk("host", "revoke", walk("host", "activate", "--installation-id", digits)["grant"])

    # A machine, out of a pool.
    words = ("key", "issue", "--group", "client-volume", "--kind", "mak", "--pool", "2")
    pooled = walk(*words)["keys"][0]
    machine = parse_product_key(pooled["key"])
    proof = proof_key(publisher, machine.key_id, machine.tag_bytes)
    typed = make_installation_id(1, machine.key_id, "1".rjust(25, "0"), None, proof).text
    walk("confirm", typed)
    walk("confirm", store.request(key["key"], publisher), code=1)  # a host that was released
    walk("key", "correct", pooled["id"], "--add", "1", "--reason", "a disk was exchanged")
    walk("key", "extend", pooled["id"], "--pool", "10")
    walk("key", "limit", key["id"], "--hosts", "8", "--reason", "two more sites")
    walk("key", "list")
    drawn = walk("key", "show", pooled["id"])["key"]["activations"]
    walk("key", "show", key["id"])
    walk("activation", "revoke", drawn[0]["grant"])
    walk("key", "revoke", pooled["id"])
    walk("product", "revoke", "contoso-office-2010")

    # Trust, and what is kept of all this.
    walk("clock", "confirm", instant_text(walk("clock", "show")["time"])[:10])
    walk("status")
    walk("clock", "repair")
    walk("trust", "show")
    walk("trust", "rotate", *CHEAP)
    walk("trust", "recover", "--reserve-root", file("reserve.key"), *CHEAP)
    walk("audit")
    walk("audit", "list")
    walk("audit", "verify")
    walk("audit", "export", file("audit.jsonl"))
    with serving(store, "--port", "0") as (_, said):
        walk.judged(("serve",), json.dumps(said))
    walk("check")
    walk("backup", file("backup"))
    restored = tmp_path / "restored"
    for keys in store.folder.rglob("keys"):
        shutil.copytree(keys, restored / keys.relative_to(store.folder))
    store.env["MUSTER_STORE"] = str(restored)
    walk("restore", file("backup"))
    walk("resume", "--accept-loss")
    assert not walk.missing()
    assert unplayed("publisher", wishes) == []


def test_every_command_of_a_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wishes: list[Count]
) -> None:
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(words: tuple[str, ...], code: int) -> str:
        done = CliRunner().invoke(muster, ("manager", *words), catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.stdout

    walk = Walk("manager", run)
    hosts = tmp_path / "hosts.csv"
    hosts.write_text("name,group\npc1,a\npc2,b\nnot a name,b\n", encoding="utf-8")
    assert walk("discover", str(hosts), "--dry-run")["preview"]
    assert walk("discover", str(hosts))["skipped"][0]["line"] == 4
    assert not walk("discover", str(hosts), "--dry-run")["added"]
    walk("add", "pc3", "--address", "10.0.0.3", "--tag", "pilot")
    walk("machines", "group=a")
    walk("tag", "late", "pc*")
    walk("tag", "late", "pc1", "--remove")
    walk("filter", "save", "lates", "tag=late")
    walk("filter", "list")
    walk("remove", "@lates")
    walk("filter", "remove", "lates")
    walk("log")
    assert not walk.missing()
    assert unplayed("manager", wishes) == []
