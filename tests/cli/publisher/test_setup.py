"""`muster publisher init`, `export` and `serve`: a publisher begins, is known, and answers."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from tests.cli.publisher.conftest import CHEAP, Desk, serving

from muster.lease.trust import anchor, walk
from muster.net.http import HTTPClient
from muster.wire.exchange import read_publisher_file
from muster.wire.publisher import ConfirmRequest


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
    nowhere = ("export", str(out), "--url", "http://0.0.0.0:16882")
    assert desk.refused(*nowhere, code=2) == "settings/nowhere"


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
@pytest.mark.skipif(sys.platform != "linux", reason="what a process was started with is in /proc")
def test_a_service_keeps_no_passphrase_in_its_environment(empty: Desk) -> None:
    empty.env["MUSTER_ROOT_PASSPHRASE"] = "battery staple"
    empty.init()
    with serving(empty, "--port", "0") as (process, said):
        seen = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"MUSTER_STORE=" in seen
        for secret in (b"correct horse", b"battery staple"):
            assert secret not in seen
        # What it was for is still known: a new grant key is opened when it is needed.
        empty.text("trust", "rotate", "--role", "grant", *CHEAP)
        key = empty.data("key", "issue", "--kind", "host", "--group", "server-c")["keys"][0]
        body = ConfirmRequest(empty.request(key["key"], said["publisher"])).encode()
        client = HTTPClient(timeout=20, limit=1024 * 1024)
        url = said["url"] + "/v1/hosts/activate"
        answer = client.request("POST", url, body, {"Content-Type": "application/json"})
        assert answer.status in (200, 409), answer.body
        assert b"keyfile" not in answer.body


@pytest.mark.real
def test_a_service_warns_of_roots_beside_it(desk: Desk, tmp_path: Path) -> None:
    (root,) = (desk.folder / "publisher" / "keys").glob("root-*.key")
    with serving(desk, "--port", "0") as (process, _):
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert "beside the keys of roots" in errors
    assert root.name in errors
    root.rename(tmp_path / "away.key")
    with serving(desk, "--port", "0") as (process, said):
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert said["grant_keys"] == 1
    assert "root" not in errors.replace(str(desk.folder), "")


@pytest.mark.real
def test_serve_that_cannot_open_its_key_does_not_begin(desk: Desk) -> None:
    desk.env["MUSTER_PASSPHRASE"] = "wrong"
    with serving(desk, "--port", "0") as (process, said):
        process.wait(timeout=60)
        assert process.returncode == 1
        assert said["error"]["code"] == "keyfile/passphrase"
