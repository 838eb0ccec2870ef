"""Files that were saved again: byte order marks, UTF-16, line ends of Windows."""

from __future__ import annotations

import codecs
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import muster.client
from muster.cli.main import muster as command
from muster.core.errors import MusterError
from muster.system.config import load_settings
from muster.system.facts import facts_file, read_facts_file
from muster.system.textfile import plain, read_text
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts

Saved = Callable[[bytes], bytes]


def windows(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


FORMS: dict[str, Saved] = {
    "as it was": lambda data: data,
    "UTF-8 with a mark": lambda data: codecs.BOM_UTF8 + data,
    "UTF-8 with a mark, lines of Windows": lambda data: codecs.BOM_UTF8 + windows(data),
    "lines of Windows": windows,
    "UTF-16 of Notepad": lambda data: (
        codecs.BOM_UTF16_LE + windows(data).decode().encode("utf-16-le")
    ),
    "UTF-16, the other way round": lambda data: (
        codecs.BOM_UTF16_BE + data.decode().encode("utf-16-be")
    ),
}
WRONG: dict[str, Saved] = {
    "UTF-16 without a mark": lambda data: data.decode().encode("utf-16-le"),
    "UTF-16 without a mark, the other way round": lambda data: data.decode().encode("utf-16-be"),
    "UTF-16 that is cut": lambda data: codecs.BOM_UTF16_LE + data.decode().encode("utf-16-le")[:-1],
    "UTF-16 with half a pair": lambda data: codecs.BOM_UTF16_LE + b"{\x00\x00\xd8}\x00",
    "UTF-32": lambda data: codecs.BOM_UTF32_LE + data.decode().encode("utf-32-le"),
    "UTF-32, the other way round": lambda data: (
        codecs.BOM_UTF32_BE + data.decode().encode("utf-32-be")
    ),
}
forms = pytest.mark.parametrize("form", FORMS)
wrong = pytest.mark.parametrize("form", WRONG)


class Desk:
    """A machine and a publisher in one folder; files are saved again before they are read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.publisher = TinyPublisher(now=int(time.time()) - 86_400)

    def put(self, name: str, data: bytes, form: str) -> Path:
        path = self.folder / name
        path.write_bytes({**FORMS, **WRONG}[form](data))
        path.chmod(0o600)
        return path

    def type(self, *words: str | Path) -> Result:
        return CliRunner().invoke(command, [*map(str, words), "--json"], catch_exceptions=False)

    def code(self, *words: str | Path) -> str:
        done = self.type(*words)
        found = json.loads(done.stdout)
        return str(found["error"]["code"]) if done.exit_code else ""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    facts = tmp_path / "machine.json"
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_FACTS", str(facts))
    return Desk(tmp_path)


@forms
def test_a_descriptor(desk: Desk, form: str) -> None:
    path = desk.put("d.json", desk.publisher.descriptor("desktop-pro"), form)
    assert desk.code("client", "product", "add", path) == ""
    assert muster.client.licence(path).state.value == 2
    assert muster.client.licence(path.read_bytes()).state.value == 2
    (kept,) = (desk.folder / "store").rglob("anchors/*.json")
    assert kept.read_bytes().startswith(b"{")


@wrong
def test_a_descriptor_that_is_no_text_says_what_it_is(desk: Desk, form: str) -> None:
    path = desk.put("d.json", desk.publisher.descriptor("desktop-pro"), form)
    assert desk.code("client", "product", "add", path) == "file/encoding"
    found = muster.client.licence(path)
    assert found.why is not None
    assert found.why.code == "file/encoding"
    assert "UTF-" in found.why.what
    assert "Notepad" in found.why.fix


@forms
def test_facts_and_settings(desk: Desk, form: str) -> None:
    uuid = machine_facts("pc-1")["system-uuid"]
    facts = desk.put("f.json", facts_file({"system-uuid": uuid}), form)
    assert read_facts_file(facts).keys() == {"system-uuid"}
    text = '# \u00fcber\n[client]\nhost = "kms.corp.test"\n'.encode()
    settings = desk.put("muster.toml", text, form)
    assert load_settings("client", [settings], environ={}).text("host") == "kms.corp.test"
    descriptor = desk.put("d.json", desk.publisher.descriptor("desktop-pro"), "as it was")
    assert desk.code("client", "product", "add", descriptor) == ""
    written = desk.put("store/client.toml", text, form)
    shown = json.loads(desk.type("client", "status").stdout)["products"][0]
    assert shown["set_host"] == "kms.corp.test:16880"
    assert desk.code("client", "clear-host") == ""
    assert not written.read_bytes().startswith(codecs.BOM_UTF8)


@forms
def test_requests_replies_and_publisher_files(desk: Desk, form: str) -> None:
    """A machine's request and reply are saved again on their way."""
    from muster.wire.exchange import read_request_file

    descriptor = desk.put("d.json", desk.publisher.descriptor("desktop-pro"), "as it was")
    assert desk.code("client", "product", "add", descriptor) == ""
    assert desk.code("client", "install-key", desk.publisher.machine_key("desktop").text) == ""
    request = desk.folder / "request.json"
    assert desk.code("client", "activate", "--request", request) == ""
    carried = desk.put("carried.json", request.read_bytes(), form)
    asked = read_request_file(read_text(carried, 64 * 1024))
    reply = desk.put("reply.json", desk.publisher.reply(asked).encode(), form)
    assert desk.code("client", "activate", "--reply", reply) == ""
    (shown,) = json.loads(desk.type("client", "status").stdout)["products"]
    assert shown["state"] == 1
    licence = desk.folder / "licence.json"
    assert desk.code("client", "licence", "--out", licence) == ""
    saved = desk.put("saved.json", licence.read_bytes(), form)
    again = desk.put("again.json", desk.publisher.descriptor("desktop-pro"), form)
    assert desk.code("verify", saved, "--descriptor", again) == ""


@forms
def test_a_publisher_and_a_host(desk: Desk, form: str) -> None:
    """Passphrase, catalogue, publisher file, request and reply of a host."""
    from muster.publisher.catalogue_file import sample

    phrase = desk.put("phrase", "pa\u00dfphrase mit \u00fc\n".encode(), form)
    catalogue = desk.put("catalogue.toml", sample(), form)
    plainly = desk.put("plainly", "pa\u00dfphrase mit \u00fc\n".encode(), "as it was")
    light = ("--kdf", "scrypt", "--kdf-log-n", "4")
    words = ("--label", "contoso", "--name", "Contoso", "--reserve-root", desk.folder / "reserve")
    made = ("--catalogue", catalogue, "--passphrase-file", phrase)
    assert desk.code("publisher", "init", *words, *made, *light) == ""
    exported = desk.folder / "publisher.json"
    assert desk.code("publisher", "export", exported) == ""
    issue = ("publisher", "key", "issue", "--kind", "host", "--group", "server-b")
    assert desk.code(*issue, "--passphrase-file", plainly) == ""
    known = desk.put("known.json", exported.read_bytes(), form)
    assert desk.code("host", "init", "--publisher", known) == ""
    assert desk.code("client", "catalogue", "import", known) == "client/reply-publisher"


@forms
def test_the_key_of_dns_updates(desk: Desk, form: str) -> None:
    from muster.host.publish import signer_of
    from muster.net.dnsupdate import TSIGKey

    text = b'key "update" {\n\talgorithm hmac-sha256;\n\tsecret "c2VjcmV0IHNlY3JldA==";\n};\n'
    found = signer_of({"tsig_key_file": str(desk.put("update.key", text, form))})
    assert isinstance(found, TSIGKey)
    assert found.name.rstrip(".") == "update"


@wrong
def test_other_files_that_are_no_text(desk: Desk, form: str) -> None:
    assert desk.code("verify", desk.put("x.json", b"{}" * 8, form)) == "file/encoding"
    bad = desk.put("x.toml", b'log = "x"\n', form)
    with pytest.raises(MusterError) as caught:
        load_settings("client", [bad], environ={})
    assert caught.value.code == "file/toml"
    assert "save it as UTF-8" in caught.value.what


def test_sizes_hold_for_the_text_and_not_for_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(FORMS["UTF-16 of Notepad"](b"x" * 100))
    assert read_text(path, 100) == b"x" * 100
    for data in (FORMS["UTF-16 of Notepad"](b"x" * 101), b"x" * 101, b"x" * 1000):
        path.write_bytes(data)
        with pytest.raises(MusterError) as caught:
            read_text(path, 100)
        assert caught.value.code == "file/too-large"


@given(st.binary(max_size=40))
def test_any_bytes_are_a_text_or_the_documented_error(data: bytes) -> None:
    for mark in (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        try:
            found = plain(mark + data)
        except MusterError as fault:
            assert fault.code == "file/encoding"
        else:
            assert len(found) <= 2 * len(mark + data)


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_what_is_signed_or_crosses_the_network_stays_strict(mark: bytes) -> None:
    from muster.lease import strict
    from muster.wire import codec

    for read in (lambda data: strict.read(data, strict.SMALL), codec.decode):
        with pytest.raises(MusterError) as caught:
            read(mark + b"{}")
        assert caught.value.code in ("licence/malformed", "wire/bad-request")
