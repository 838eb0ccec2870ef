"""`muster publisher host`: hosts that are offline, their terms, their end."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.publisher.conftest import Desk

from muster.cli.publisher.options import TokenCommand
from muster.lease.descriptor import read_descriptor
from muster.lease.grant import read_grant
from muster.wire.exchange import RequestFile, read_reply_file
from muster.wire.publisher import ConfirmRequest


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
