"""`muster publisher …` from an empty folder to an activated host, as an engineer types it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import muster
from muster.cli.publisher.options import TokenCommand
from muster.core.identity import Fact, hardware_id, host_binding
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key
from muster.lease.descriptor import read_descriptor
from muster.lease.grant import read_grant
from muster.lease.jws import MemorySigningKey
from muster.lease.trust import anchor, walk
from muster.net.http import HTTPClient
from muster.wire.exchange import RequestFile, read_publisher_file, read_reply_file
from muster.wire.publisher import ConfirmRequest

CHEAP = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")


@dataclass
class Desk:
    """A store, and the commands that an engineer types at it."""

    folder: Path
    env: dict[str, str]

    def run(self, *words: str, env: dict[str, str] | None = None) -> Result:
        found = CliRunner().invoke(muster, ["publisher", *words], env=self.env | (env or {}))
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found

    def text(self, *words: str) -> str:
        found = self.run(*words)
        assert found.exit_code == 0, found.output
        return found.stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        found = self.run(*words, "--json")
        assert found.exit_code == code, found.output
        value: dict[str, Any] = json.loads(found.stdout)
        return value

    def refused(self, *words: str, code: int, env: dict[str, str] | None = None) -> str:
        found = self.run(*words, "--json", env=env)
        assert found.exit_code == code, found.output
        return str(json.loads(found.stdout)["error"]["code"])

    def init(self, *more: str) -> dict[str, Any]:
        reserve = str(self.folder.parent / "reserve.key")
        return self.data("init", "--sample", "--reserve-root", reserve, *CHEAP, *more)

    def request(self, key_text: str, publisher: str, number: int = 1) -> str:
        """The installation ID of a host with this key."""
        key = parse_product_key(key_text)
        signing = MemorySigningKey(number.to_bytes(32, "big"))
        machine = Fact("system-uuid", f"00000000-0000-4000-8000-{number:012d}")
        return make_installation_id(
            1,
            key.key_id,
            host_binding(publisher, key.key_id, signing.public.raw),
            hardware_id(publisher, key.key_id, key.tag_bytes, machine),
            proof_key(publisher, key.key_id, key.tag_bytes),
        ).text


@pytest.fixture
def empty(tmp_path: Path) -> Desk:
    folder = tmp_path / "stores"
    return Desk(folder, {"MUSTER_STORE": str(folder), "MUSTER_PASSPHRASE": "correct horse"})


@pytest.fixture
def desk(empty: Desk) -> Desk:
    empty.init()
    return empty


# Setting up.


def test_init_twice(empty: Desk) -> None:
    first = empty.init()
    assert (first["changed"], first["label"], first["trust"], first["catalogue"]) == (
        True,
        "contoso",
        1,
        1,
    )
    assert Path(first["root"]).is_file()
    assert Path(first["reserve_root"]).is_file()
    again = empty.init()
    assert again["changed"] is False
    assert again["publisher"] == first["publisher"]
    said = empty.text("init", "--sample", "--reserve-root", "anything", *CHEAP)
    assert "nothing was changed" in said


def test_init_with_a_file_of_ones_own(empty: Desk, tmp_path: Path) -> None:
    file = tmp_path / "fabrikam.toml"
    file.write_text(
        '[[applications]]\nid = "a"\nname = "A"\n[[groups]]\nnumber = 0\nid = "g"\n'
        '[[products]]\nid = "p"\napplication = "a"\ngroup = "g"\nneed = 3\nname = "P \\"x\\" {y}"\n'
    )
    words = ("init", "--catalogue", str(file), "--reserve-root", str(tmp_path / "r.key"), *CHEAP)
    assert empty.refused(*words, code=2) == "publisher/label"
    assert empty.refused(*words, "--label", "Fabrikam", code=2) == "id/grammar"
    found = empty.data(*words, "--label", "fabrikam", "--name", "Fabrikam {0}")
    assert (found["label"], found["name"]) == ("fabrikam", "Fabrikam {0}")
    (product,) = empty.data("product", "list")["products"]
    assert (product["need"], product["name"]) == (3, 'P "x" {y}')
    assert 'P "x" {y}' in empty.text("product", "show", "p")


def test_init_is_told_what_is_wrong_before_anything_is_made(empty: Desk, tmp_path: Path) -> None:
    reserve = str(tmp_path / "r.key")
    file = tmp_path / "wrong.toml"
    file.write_text("groups = 1")
    for words, code in (
        (("--catalogue", str(file)), "publisher/catalogue-file"),
        (("--catalogue", str(tmp_path / "none.toml")), "file/missing"),
        (("--sample", "--label", "contoso_"), "id/grammar"),
    ):
        found = empty.run("init", "--reserve-root", reserve, *words, *CHEAP, "--json")
        assert json.loads(found.stdout)["error"]["code"] == code
    for usage in (
        ("init", "--reserve-root", reserve),
        ("init", "--sample"),
        ("init", "--sample", "--catalogue", str(file), "--reserve-root", reserve),
        ("init", "--sample", "--reserve-root", reserve, "--kdf-log-n", "3"),
        ("init", "--sample", "--reserve-root", reserve, "--kdf", "scrypt", "--kdf-log-n", "99"),
        ("init", "--sample", "--reserve-root", reserve, "--kdf-memory", "1"),
    ):
        assert empty.run(*usage).exit_code == 2
    assert not empty.folder.exists()


def test_the_reserve_root_in_the_store_refuses(empty: Desk) -> None:
    reserve = str(empty.folder / "publisher" / "reserve.key")
    words = ("init", "--sample", "--reserve-root", reserve, *CHEAP)
    assert empty.refused(*words, code=2) == "publisher/reserve-inside"


# Passphrases.


def test_a_passphrase_comes_from_a_file_or_the_environment_and_never_from_a_pipe(
    empty: Desk, tmp_path: Path
) -> None:
    del empty.env["MUSTER_PASSPHRASE"]
    reserve = str(tmp_path / "r.key")
    words = ("init", "--sample", "--reserve-root", reserve, *CHEAP)
    assert empty.refused(*words, code=2) == "publisher/passphrase"
    file = tmp_path / "phrase"
    file.write_text("öffne dich\nsecond line\n")
    file.chmod(0o644)
    assert empty.refused(*words, "--passphrase-file", str(file), code=1) == "keyfile/rights"
    file.chmod(0o600)
    made = empty.data(*words, "--passphrase-file", str(file))
    assert made["changed"]
    assert made["unfinished"] is None
    issue = ("key", "issue", "--kind", "host", "--group", "server-b")
    phrase = {"MUSTER_PASSPHRASE": "öffne dich"}
    assert empty.run(*issue, env=phrase).exit_code == 0
    assert empty.refused(*issue, code=1, env={"MUSTER_PASSPHRASE": "x"}) == "keyfile/passphrase"
    for wrong in (b"", b"\nsecond\n", b"\xff\n"):
        file.write_bytes(wrong)
        given = (*issue, "--passphrase-file", str(file))
        assert empty.refused(*given, code=2) == "publisher/passphrase-file"


def test_roots_may_have_a_passphrase_of_their_own(empty: Desk) -> None:
    empty.env["MUSTER_ROOT_PASSPHRASE"] = "battery staple"
    empty.init()
    rotate = ("trust", "rotate", "--role", "grant", *CHEAP)
    assert empty.data(*rotate)["trust"]["version"] == 2
    del empty.env["MUSTER_ROOT_PASSPHRASE"]
    assert empty.refused(*rotate, code=1) == "keyfile/passphrase"
    issue = ("key", "issue", "--kind", "host", "--group", "server-b")
    assert empty.data(*issue)["keys"]


def test_no_command_takes_a_passphrase_as_an_argument() -> None:
    import click

    def options(command: click.Command) -> Iterator[str]:
        for one in command.params:
            yield from one.opts
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from options(found)

    publisher = muster.get_command(click.Context(muster), "publisher")
    assert publisher is not None
    every = set(options(publisher))
    assert {one for one in every if "pass" in one and one != "--kdf-passes"} == {
        "--passphrase-file",
        "--root-passphrase-file",
    }


# Products, descriptors, the publisher file.


def test_products_and_descriptors(desk: Desk, tmp_path: Path) -> None:
    found = desk.data("product", "list")
    assert len(found["products"]) == 8
    assert "contoso-server-2008-datacenter" in desk.text("product", "list")
    shown = desk.data("product", "show", "contoso-desktop-7-enterprise")["product"]
    assert (shown["need"], shown["spans"]["lease"]) == (25, 180 * 86400)
    assert desk.refused("product", "show", "Nothing", code=2) == "publisher/product"
    out = tmp_path / "desktop.descriptor.json"
    words = ("descriptor", "contoso-desktop-7-enterprise", "--out", str(out))
    assert desk.data(*words) == {
        "changed": True,
        "file": str(out),
        "product": "contoso-desktop-7-enterprise",
        "trust": 1,
    }
    assert read_descriptor(out.read_bytes()).product.setup_key == shown["setup_key"]
    assert desk.data(*words)["changed"] is False
    desk.text("trust", "rotate", *CHEAP)
    assert desk.data(*words)["trust"] == 2
    assert desk.data(*words, "--trust-version", "1")["changed"] is True
    assert desk.refused(*words, "--trust-version", "9", code=2) == "publisher/no-trust"


def test_the_publisher_file(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "contoso.publisher.json"
    words = ("export", str(out), "--url", "https://activate.contoso.example")
    assert desk.data(*words)["changed"] is True
    assert desk.data(*words)["changed"] is False
    desk.text("trust", "rotate", "--role", "catalogue", *CHEAP)
    found = desk.data(*words)
    assert (found["trust"], found["catalogue"]) == (2, 2)
    file = read_publisher_file(out.read_bytes())
    assert file.url == "https://activate.contoso.example"
    assert walk(anchor(file.anchor), file.trust).version == 2
    assert desk.refused("export", str(out), "--url", "ftp://x", code=2) == "net/url"


# Product keys.


def test_keys_are_shown_in_full_once_and_masked_after(desk: Desk) -> None:
    issue = ("key", "issue", "--kind", "host", "--group", "server-c")
    made = desk.data(*issue, "--count", "2", "--term", "12", "--customer", 'Fabrikam "x" {y}')
    first, second = (one["key"] for one in made["keys"])
    assert first != second
    assert made["keys"][0]["term_days"] == 360
    for words in (
        ("key", "list"),
        ("key", "list", "--kind", "host"),
        ("key", "show", first),
        ("key", "show", made["keys"][0]["id"]),
        ("audit",),
    ):
        said = desk.text(*words) + json.dumps(desk.data(*words))
        assert first not in said
        if words[0] == "key":
            assert f"XXXXX-XXXXX-XXXXX-XXXXX-{first[-5:]}" in said
            assert 'Fabrikam "x" {y}' in desk.text(*words)
    (line,) = [one for one in desk.text(*issue).splitlines() if one.count("-") == 6]
    assert parse_product_key(line.split()[0]).masked in desk.text("key", "list")
    assert desk.refused("key", "show", first[:-1] + "-", code=2) == "key/length"
    assert desk.refused("key", "show", "0-3-1", code=1) == "publisher/unknown-key"
    assert desk.refused(*issue[:4], "--group", "none", code=2) == "publisher/group"
    assert desk.run(*issue, "--term", "64").exit_code == 2
    assert desk.run(*issue, "--customer", "a\nb").exit_code == 2
    assert desk.run("key", "issue", "--kind", "setup", "--group", "server-c").exit_code == 2


def test_a_key_is_revoked_once(desk: Desk) -> None:
    made = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
    assert desk.data("key", "revoke", made["id"])["catalogue"] == 2
    again = desk.data("key", "revoke", made["id"])
    assert (again["changed"], again["catalogue"]) == (False, 2)
    assert "nothing was changed" in desk.text("key", "revoke", made["id"])
    (shown,) = desk.data("catalogue", "show")["revocations"]
    assert shown["key"] == made["id"]
    assert "revoked" in desk.text("key", "list")


# Hosts.


def test_a_host_is_activated_by_file_and_by_digits_with_the_same_grant(
    desk: Desk, tmp_path: Path
) -> None:
    publisher = desk.data("trust", "show")["publisher"]
    key = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
    digits = desk.request(key["key"], publisher)
    request, reply = tmp_path / "request.json", tmp_path / "reply.json"
    request.write_bytes(RequestFile(publisher, ConfirmRequest(digits)).encode())
    words = ("host", "activate", "--request", str(request), "--reply", str(reply))
    first = desk.data(*words)
    assert (first["changed"], first["written"]) == (True, True)
    answer = read_reply_file(reply.read_bytes()).answer
    again = desk.data(*words)
    assert (again["changed"], again["written"]) == (False, False)
    desk_found = desk.data("host", "activate", "--installation-id", digits.replace("-", " "))
    assert desk_found["changed"] is False
    assert desk_found["confirmation_id"] == answer.confirmation_id
    said = desk.text("host", "activate", "--installation-id", digits)
    assert answer.confirmation_id.split("-")[32] in said
    (row,) = desk.data("host", "list")["hosts"]
    assert (row["grant"], row["activations"], row["group"]) == (first["grant"], 1, "server-c")
    assert desk.data("host", "list", "--key", key["id"])["hosts"] == [row]
    descriptor = tmp_path / "d.json"
    desk.text("descriptor", "contoso-office-2010", "--out", str(descriptor))
    trust = read_descriptor(descriptor.read_bytes()).trust
    assert read_grant(answer.grant, trust, publisher).jti == first["grant"]


def test_request_files_that_are_none(desk: Desk, tmp_path: Path) -> None:
    request, reply = tmp_path / "request.json", tmp_path / "reply.json"
    words = ("host", "activate", "--request", str(request), "--reply", str(reply))
    assert desk.refused(*words, code=3) == "file/missing"
    for data, code in (
        (b"", "wire/not-exchange"),
        (b"{}", "wire/not-exchange"),
        (b"x" * 70_000, "file/too-large"),
        (RequestFile("a" * 16, ConfirmRequest("1")).encode(), "publisher/other-request"),
    ):
        request.write_bytes(data)
        found = desk.run(*words, "--json")
        assert found.exit_code
        assert json.loads(found.stdout)["error"]["code"] == code
    assert not reply.exists()
    for usage in (
        ("host", "activate"),
        ("host", "activate", "--request", str(request)),
        ("host", "activate", "--reply", str(reply), "--installation-id", "1"),
    ):
        assert desk.run(*usage).exit_code == 2


def test_hosts_are_revoked_and_released(desk: Desk) -> None:
    publisher = desk.data("trust", "show")["publisher"]
    key = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
    hosts = [
        desk.data(
            "host", "activate", "--installation-id", desk.request(key["key"], publisher, number)
        )
        for number in (1, 2)
    ]
    found = desk.data("host", "revoke", hosts[0]["grant"])
    assert (found["changed"], found["catalogue"]) == (True, 2)
    assert desk.data("host", "revoke", hosts[0]["hardware"])["changed"] is False
    assert desk.data("key", "show", key["id"])["key"]["hosts"] == 2
    found = desk.data("host", "release", hosts[1]["grant"])
    assert (found["changed"], found["catalogue"], found["grants"]) == (
        True,
        3,
        [hosts[1]["grant"]],
    )
    assert desk.data("key", "show", key["id"])["key"]["hosts"] == 1
    assert "nothing was changed" in desk.text("host", "release", hosts[1]["hardware"])
    listed = desk.text("host", "list")
    assert "revoked" in listed
    assert "released" in listed
    assert desk.refused("host", "revoke", "nobody", code=2) == "publisher/unknown-host"
    again = ("host", "activate", "--installation-id", desk.request(key["key"], publisher, 1))
    assert desk.refused(*again, code=1) == "publisher/host-revoked"


def test_terms_for_a_host(desk: Desk) -> None:
    publisher = desk.data("trust", "show")["publisher"]
    key = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
    digits = desk.request(key["key"], publisher)
    host = desk.data("host", "activate", "--installation-id", digits)
    terms = ("host", "terms", host["grant"], "--limit", "5", "--agreement", "A-1")
    found = desk.data(*terms)
    assert (found["changed"], found["version"], found["limit"]) == (True, 1, 5)
    assert desk.data(*terms)["changed"] is False


def test_a_licence_id_that_begins_with_a_dash_is_an_argument(desk: Desk) -> None:
    for host_id in ("-h" + "A" * 20, "--" + "a" * 20, "-" + "_" * 21):
        for verb in ("revoke", "release"):
            assert desk.refused("host", verb, host_id, code=2) == "publisher/unknown-host"
    # An option of the same length stays an option.
    assert len("--root-passphrase-file") == 22
    words = ("host", "revoke", "x", "--root-passphrase-file", "/nowhere")
    assert desk.refused(*words, code=2) == "publisher/unknown-host"
    assert issubclass(TokenCommand, object)


# Catalogues.


def test_catalogues(desk: Desk, tmp_path: Path) -> None:
    from muster.publisher.catalogue_file import sample

    file = tmp_path / "next.toml"
    text = sample().decode()
    file.write_text(text)
    assert desk.data("catalogue", "diff", str(file)) == {"catalogue": 1, "changes": []}
    assert desk.data("catalogue", "publish", str(file))["changed"] is False
    file.write_text(
        text.replace("[[conversions]]", '[[groups]]\nnumber = 20\nid = "new"\n[[conversions]]', 1)
    )
    change = {"what": "group", "id": "new", "how": "added", "fields": []}
    assert desk.data("catalogue", "diff", str(file))["changes"] == [change]
    assert "added group new" in desk.text("catalogue", "diff", str(file))
    found = desk.data("catalogue", "publish", str(file))
    assert (found["changed"], found["catalogue"], found["changes"]) == (True, 2, [change])
    assert desk.data("catalogue", "publish", str(file))["changed"] is False
    file.write_text(text)
    assert desk.refused("catalogue", "publish", str(file), code=1) == "publisher/catalogue-fixed"
    shown = desk.data("catalogue", "show")
    assert shown["catalogue"] == 2
    assert [one["id"] for one in shown["groups"]][-1] == "new"
    assert "server-c" in desk.text("catalogue", "show")


# Trust.


def test_trust_is_rotated_and_recovered(desk: Desk, tmp_path: Path) -> None:
    (first,) = desk.data("trust", "show")["trust"]
    found = desk.data("trust", "rotate", "--role", "grant", "--keep-days", "7", *CHEAP)
    assert found["trust"]["version"] == 2
    assert [one["index"] for one in found["trust"]["keys"] if one["role"] == "grant"] == [0, 1]
    reserve = str(desk.folder.parent / "reserve.key")
    recover = ("trust", "recover", "--reserve-root", reserve, *CHEAP)
    new_reserve = str(tmp_path / "new.key")
    assert desk.run(*recover, "--new-reserve-root", new_reserve).exit_code == 2
    assert desk.run(*recover, "--withdraw").exit_code == 2
    assert desk.run("trust", "rotate", "--withdraw", "--keep-days", "1").exit_code == 2
    assert desk.refused(*recover, "--version", "2", code=2) == "publisher/trust-step"
    found = desk.data(*recover, "--version", "9", "--new-root", "--new-reserve-root", new_reserve)
    assert found["trust"]["version"] == 10
    assert not set(found["trust"]["roots"]) & set(first["roots"])
    line = desk.data("trust", "show", "--all")["trust"]
    assert [one["version"] for one in line] == [1, 2, 9, 10]
    said = desk.text("trust", "show", "--all")
    assert "working root" in said
    assert "retired, valid until" in said
    assert desk.data("trust", "rotate", *CHEAP)["trust"]["version"] == 11


def test_the_audit_table_says_who(desk: Desk) -> None:
    rows = desk.data("audit", "--limit", "2")["audit"]
    assert [one["seq"] for one in rows] == [1, 2]
    assert rows[0]["event"] == "publisher:store:init"
    assert rows[0]["actor"].startswith("user:")
    last = desk.data("audit")["audit"][-1]["seq"]
    assert desk.data("audit", "--after", str(last))["audit"] == []
    assert "publisher:catalogue:sign" in desk.text("audit")


def test_the_audit_is_exported_to_a_file(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    done = desk.data("audit", "export", str(file))
    assert len(file.read_text().splitlines()) >= done["rows"] > 0
    assert desk.data("audit", "verify", "--file", str(file))["head"] == done["head"]


# Everything else.


def test_an_empty_store_says_what_to_type(empty: Desk) -> None:
    for words in (
        ("product", "list"),
        ("key", "list"),
        ("host", "list"),
        ("trust", "show"),
        ("audit",),
        ("serve", "--port", "0"),
        ("export", "x"),
    ):
        found = empty.run(*words)
        assert found.exit_code == 2
        assert "publisher/none" in found.stderr
        assert "muster publisher init" in found.stderr


@contextlib.contextmanager
def serving(desk: Desk, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`muster publisher serve` as a process, and what it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "muster", "publisher", "serve", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **desk.env},
    )
    try:
        assert process.stdout is not None
        said = ""
        while True:
            line = process.stdout.readline()
            said += line
            if line in ("", "}\n"):
                break
        yield process, json.loads(said) if said else {}
    finally:
        process.kill()
        process.communicate()


@pytest.mark.real
def test_serve_answers_and_stops_when_told(desk: Desk) -> None:
    with serving(desk, "--port", "0") as (process, said):
        assert said["label"] == "contoso"
        assert said["grant_keys"] == 1
        assert said["url"].startswith("http://127.0.0.1:")
        key = desk.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
        body = ConfirmRequest(desk.request(key["key"], said["publisher"])).encode()
        client = HTTPClient(timeout=20, limit=1024 * 1024)
        url = said["url"] + "/v1/hosts/activate"
        headers = {"Content-Type": "application/json"}
        first = client.request("POST", url, body, headers)
        assert first.status == 200
        # What an engineer does meanwhile is served at once.
        desk.text("host", "revoke", desk.data("host", "list")["hosts"][0]["hardware"])
        assert client.request("POST", url, body, headers).status == 403
        catalogue = client.request("GET", said["url"] + "/v1/catalogue")
        assert catalogue.status == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert key["key"] not in errors
        assert "a host was activated" in errors


@pytest.mark.real
def test_serve_that_cannot_open_its_key_does_not_begin(desk: Desk) -> None:
    desk.env["MUSTER_PASSPHRASE"] = "wrong"
    with serving(desk, "--port", "0") as (process, said):
        process.wait(timeout=60)
        assert process.returncode == 1
        assert said["error"]["code"] == "keyfile/passphrase"
