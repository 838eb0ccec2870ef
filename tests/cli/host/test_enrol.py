"""`muster host init`, `install-key` and `remove-…`."""

from __future__ import annotations

import pytest
from tests.cli.host.conftest import Desk

from muster.core.keys import Kind
from muster.testing.tiny_publisher import TinyPublisher

pytestmark = pytest.mark.real


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
