"""Whatever is read from files, variables and typed addresses: a value or an error of the catalogue.

Messages over HTTP are tried in tests/wire, signed objects in tests/lease, HTTP, DNS and resolv.conf
in tests/net. Numbers of thousands of digits are in the food, because Python refuses to turn them
into text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.client import settings as client_settings
from muster.client import store as client_store
from muster.client.discovery import Address, parse_address
from muster.client.store import STATE, Store
from muster.core.errors import MusterError
from muster.core.settings import split_host_port
from muster.lease import strict
from muster.net.dns import parse_server
from muster.net.dnsupdate import ALGORITHMS, parse_tsig_key
from muster.net.http import HTTPClient
from muster.publisher.catalogue_file import parse_catalogue_file, sample
from muster.system.config import load_settings
from muster.system.facts import read_facts_file
from muster.testing.world import World, WorldMachine
from muster.wire import exchange

DIGITS = "9" * 5_000


def told(fault: MusterError, *codes: str) -> None:
    """The error is one of these, and it prints."""
    assert fault.code in codes or any(fault.code.startswith(one) for one in codes if one[-1] == "/")
    for text in (fault.what, fault.why, fault.fix):
        assert text
        assert len(text) < 2_000


# TOML.

ODD_VALUES = st.sampled_from(
    ["1", "-1", DIGITS, "0x" + "f" * 5_000, "1e400", "nan", "inf", '"x"',
     '"\\u0000"', '"\\n"', "[]",
     "{}", "true", "2020-01-01", "2020-13-45", "25:00", "1979-05-27T07:32:00Z", "[[1]]", '["a,b"]',
     "[" * 3_000, "'''", '"é"', "+", "_1", "1_0"]
)  # fmt: skip
CLIENT_NAMES = st.sampled_from(
    ["host", "port", "timeout", "suffixes", "nameserver", "host_caching", "publisher_url",
     "x", '""']
)  # fmt: skip
TOML = st.tuples(
    st.sampled_from(["[client]\n", "[[client]]\n", "client = 1\n", "[client.client]\n", "",
                     "\ufeff"]),
    st.lists(st.tuples(CLIENT_NAMES, ODD_VALUES).map(" = ".join), max_size=3).map("\n".join),
    st.sampled_from(["\n", "\r\n", "\r", "\x00", "\x1c", "#\x7f", ""]),
).map(lambda parts: "".join(parts).encode())  # fmt: skip


@given(TOML | st.binary(max_size=100))
def test_a_settings_file(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any client.toml"
    path.write_bytes(data)
    for read in (
        lambda: load_settings("client", [path], {}),
        lambda: client_settings.read_written(path),
    ):
        try:
            read()
        except MusterError as fault:
            told(fault, "file/toml", "settings/")


@given(st.data())
def test_variables(data: st.DataObject) -> None:
    names = ("HOST", "PORT", "TIMEOUT", "SUFFIXES", "NAMESERVER", "HOST_CACHING", "PUBLISHER_URL")
    odd = st.sampled_from(
        ["", " ", "\x1c1", "1\x1d", "+1", "1_0", "１", DIGITS, ",", ",,", "a,b", "é"]
    )
    values = {f"MUSTER_CLIENT_{name}": data.draw(odd | st.text(max_size=8)) for name in names}
    for name, value in values.items():
        try:
            found = load_settings("client", [], {name: value})
        except MusterError as fault:
            told(fault, "settings/")
        else:
            assert 1 <= found.integer("timeout") <= 300


@given(ODD_VALUES, st.sampled_from(["need = ", "name = ", "label = ", "renew_after = ", "id = "]))
def test_a_catalogue_file_with_any_value(value: str, member: str) -> None:
    text = sample().decode()
    place = text.find("\n" + member)
    assert place < 0 or text[place + 1 :].startswith(member)
    end = text.find("\n", place + 1)
    changed = (
        text[: place + 1] + member + value + text[end:] if place >= 0 else member + value + text
    )
    try:
        parse_catalogue_file(changed.encode())
    except MusterError as fault:
        told(fault, "publisher/catalogue-file")


# TSIG keys.

KEY = 'key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };'
PIECES = st.sampled_from(
    ["key", '"k"', "{", "}", ";", "algorithm", "hmac-sha256", "secret", '"c2VjcmV0"', '"', "/*",
     "*/", "//", "#", "\n", " ", "\x1c", "\x00", "é", '"é"', '"a b"', '"' + "a." * 200 + '"', "=",
     "hmac-md5"]
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=14).map(" ".join)
    | st.lists(PIECES, max_size=14).map("".join)
    | st.tuples(st.integers(0, len(KEY)), st.integers(0, 3), st.text(max_size=3)).map(
        lambda one: KEY[: one[0]] + one[2] + KEY[one[0] + one[1] :]
    )
)
def test_a_key_file_of_dns(text: str) -> None:
    try:
        found = parse_tsig_key(text)
    except MusterError as fault:
        told(fault, "dns/key-file")
        assert "c2VjcmV0" not in fault.what
        return
    assert found.algorithm in ALGORITHMS
    assert found.secret
    assert base64.b64encode(found.secret).decode() in text


# Addresses and URLs.

PLACES = st.lists(
    st.sampled_from(
        ["[", "]", ":", "::1", "127.0.0.1", "a.example", "%", "eth0", "@", "/", "?", "#", "１", "é",
         " ", "\x1c", "\x00", "\n", "65535", "65536", "0", DIGITS, "+1", "1_0", "-", ".", "..",
         "x" * 64]
    ),
    max_size=6,
).map("".join)  # fmt: skip


READERS: tuple[Callable[[str], Address | tuple[str, int]], ...] = (
    parse_address,
    lambda text: split_host_port(text, 16880),
    parse_server,
)


@given(PLACES | st.text(max_size=20))
def test_an_address(text: str) -> None:
    for read in READERS:
        try:
            found = read(text)
        except MusterError as fault:
            told(fault, "settings/host", "net/dns-server")
            continue
        host, port = (found.host, found.port) if isinstance(found, Address) else found
        assert host.isascii()
        assert "\n" not in host
        assert host.isprintable()
        assert " " not in host
        assert 1 <= port <= 65535


@pytest.mark.parametrize("text", ["::1%１", "::1%a\nb", "::1%a b", "fe80::1%", "::1%" + "x" * 99])
def test_a_scope_is_the_name_of_an_interface(text: str) -> None:
    with pytest.raises(MusterError) as caught:
        parse_address(text)
    assert caught.value.code == "settings/host"


@given(st.sampled_from(["http://", "https://", "http:", "//", ""]), PLACES | st.text(max_size=20))
def test_a_url(scheme: str, rest: str) -> None:
    """No URL is dialled: the time for it is over before it begins."""
    ticks = iter(range(0, 10_000, 100))
    client = HTTPClient(timeout=1, monotonic=lambda: float(next(ticks)))
    with pytest.raises(MusterError) as caught:
        client.request("GET", scheme + rest)
    told(caught.value, "net/url", "net/timeout", "net/name")


@pytest.mark.parametrize(
    "url", ["http://[::1]x/", "http://[::1]:1x/", "http://a]/", "http://a:b:1/"]
)
def test_a_url_with_something_behind_its_host(url: str) -> None:
    with pytest.raises(MusterError) as caught:
        HTTPClient(timeout=1).request("GET", url)
    assert caught.value.code == "net/url"


# JSON files.

ATOM: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 2, 2**53 - 1, 2**53, 2**64, 1.5, "", "a", "é", "\x00", "A" * 43])
    | st.text(max_size=5)
)
FLAT = ATOM | st.lists(ATOM, max_size=3) | st.dictionaries(st.text(max_size=5), ATOM, max_size=3)
JSON = FLAT | st.lists(FLAT, max_size=3) | st.dictionaries(st.text(max_size=5), FLAT, max_size=3)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and item of a value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += places(item, (*path, number))
    return found


def changed(draw: Callable[[st.SearchStrategy[Any]], Any], value: Any) -> Any:
    """The value with one member replaced or left out."""
    whole = json.loads(json.dumps(value))
    *path, last = draw(st.sampled_from(places(whole)))
    at = whole
    for part in path:
        at = at[part]
    if draw(st.booleans()):
        at[last] = draw(JSON)
    else:
        del at[last]
    return whole


NUMBER = json.dumps({"v": 1}).replace("1", DIGITS).encode()


@given(st.data())
def test_a_facts_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "any facts.json"
    good = {"v": 1, "facts": {"machine-id": "ab" * 16, "mac": "00:00:5e:00:53:01"}}
    body = data.draw(st.just(NUMBER) | st.just(None))
    path.write_bytes(body or json.dumps(changed(data.draw, good)).encode())
    path.chmod(0o600)
    try:
        read_facts_file(path)
    except MusterError as fault:
        told(fault, "facts/malformed")


def world_and_machine() -> tuple[World, WorldMachine]:
    """A licensed machine that met a silent host too, so that every part of its store is there."""
    world = World()
    good = world.host()
    world.advertise([Address("nowhere.corp.test", 16880)], priority=0)
    world.advertise([good], priority=5)
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor("desktop-pro"))
    assert machine.client.activate()[0].renewed
    return world, machine


WORLD, MACHINE = world_and_machine()


@given(st.data())
def test_the_state_of_a_machine_with_a_right_sum(data: st.DataObject) -> None:
    """Whoever owns the store can write anything in it, sum and all: the sum is no secret."""
    disk = MACHINE.disk.copy()
    root = Path("/store")
    path = root / WORLD.publisher.publisher / "state.json"
    head, _, body = disk.files[path].partition(b"\n")
    value = json.dumps(changed(data.draw, json.loads(body))).encode()
    fields = json.loads(head)
    fields["sum"] = client_store._sum(STATE, fields["generation"], value)
    disk.files[path] = strict.canonical(fields) + b"\n" + value
    disk.files.pop(path.with_name("state.json.bak"), None)
    try:
        Store(root, WORLD.publisher.publisher, disk).load()
    except MusterError as fault:
        told(fault, "client/store-damaged", "licence/malformed")
    for product in WORLD.machine("pc-1", disk=disk).client.statuses():
        assert product.verdict.state in type(product.verdict.state)


@given(st.data())
def test_request_and_publisher_files(data: st.DataObject) -> None:
    good = json.loads(WORLD.publisher.file().encode())
    body = json.dumps(changed(data.draw, good)).encode() if data.draw(st.booleans()) else NUMBER
    for read in (exchange.read_publisher_file, exchange.read_request_file, exchange.read_reply):
        try:
            read(body)
        except MusterError as fault:
            told(fault, "wire/", "licence/", "trust/", "jws/", "publisher/", "catalogue/")
