"""Publishing by dynamic update: at BIND 9 and at the small server, and the errors of both."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.net.dns import Resolver
from muster.net.dnsupdate import (
    DynamicUpdate,
    SRVRecord,
    TSIGKey,
    general_name,
    label_name,
    nsupdate_script,
    parse_tsig_key,
    zone_lines,
)
from muster.testing.named import Named, PartMissingError, find_named, key_text
from muster.testing.nanodns import NanoDNS, Trouble

KEY = TSIGKey("host-key", "hmac-sha256", b"secret of the host key, 32 bytes")
ZONE = "example.test"
GENERAL = general_name(ZONE)
LABEL = label_name("acme", ZONE)
Server = NanoDNS | Named


def bind() -> Named:
    try:
        return Named(ZONE, keys=[KEY])
    except PartMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["nano", pytest.param("bind", marks=pytest.mark.real)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with an empty zone that takes updates with KEY: ours, then BIND 9."""
    with NanoDNS(ZONE, keys=[KEY]) if request.param == "nano" else bind() as found:
        yield found


@pytest.fixture
def nano() -> Iterator[NanoDNS]:
    with NanoDNS(ZONE, keys=[KEY]) as found:
        yield found


def record(
    name: str = GENERAL,
    target: str = "h1.example.test",
    *,
    port: int = 16880,
    priority: int = 0,
    weight: int = 5,
    ttl: int = 300,
) -> SRVRecord:
    return SRVRecord(name, port, target, priority, weight, ttl)


def texts(server: Server, name: str) -> list[str]:
    return [
        f"{one.priority} {one.weight} {one.port} {one.target} {one.ttl}"
        for one in Resolver([server.server]).srv(name)
    ]


def fault_of(update: DynamicUpdate, *records: SRVRecord) -> MusterError:
    with pytest.raises(MusterError) as caught:
        update.publish(records or (record(),))
    return caught.value


def test_names() -> None:
    assert GENERAL == "_muster._tcp.example.test"
    assert LABEL == "_acme._sub._muster._tcp.example.test"
    for label in ("", "UP", "a.b", "a_b", "x" * 21):
        with pytest.raises(MusterError):
            label_name(label, ZONE)


def test_publish_beside_others(server: Server) -> None:
    update = DynamicUpdate(server.server, ZONE, KEY)
    first = update.publish([record(), record(LABEL)])
    assert first.changed
    assert first.added == {
        GENERAL: ("0 5 16880 h1.example.test.",),
        LABEL: ("0 5 16880 h1.example.test.",),
    }
    update.publish([record(target="H2.Example.Test.", priority=10, port=443)])
    assert texts(server, GENERAL) == [
        "0 5 16880 h1.example.test 300",
        "10 5 443 h2.example.test 300",
    ]
    assert texts(server, LABEL) == ["0 5 16880 h1.example.test 300"]


def test_publish_again_changes_nothing(server: Server) -> None:
    update = DynamicUpdate(server.server, ZONE, KEY)
    update.publish([record()])
    again = update.publish([record()])
    assert not again.changed
    assert texts(server, GENERAL) == ["0 5 16880 h1.example.test 300"]


def test_publish_replaces_its_own_old_record(server: Server) -> None:
    update = DynamicUpdate(server.server, ZONE, KEY)
    update.publish([record(target="other.example.test")])
    for one in (record(), record(port=16990), record(weight=50), record(priority=3)):
        update.publish([one])
    assert texts(server, GENERAL) == [
        "0 5 16880 other.example.test 300",
        "3 5 16880 h1.example.test 300",
    ]
    changed = update.publish([record(priority=9, weight=1, port=1)])
    assert changed.removed == {GENERAL: ("3 5 16880 h1.example.test.",)}
    assert changed.added == {GENERAL: ("9 1 1 h1.example.test.",)}


def test_withdraw_takes_only_its_own(server: Server) -> None:
    update = DynamicUpdate(server.server, ZONE, KEY)
    update.publish([record(), record(LABEL), record(target="other.example.test")])
    gone = update.withdraw([record(port=1, weight=9), record(LABEL)])
    assert gone.removed[GENERAL] == ("0 5 16880 h1.example.test.",)
    assert texts(server, GENERAL) == ["0 5 16880 other.example.test 300"]
    assert texts(server, LABEL) == []
    assert not update.withdraw([record(), record(LABEL)]).changed


def test_nothing_to_do(nano: NanoDNS) -> None:
    update = DynamicUpdate(nano.server, ZONE, KEY)
    assert not update.publish([]).changed
    assert nano.asked == []


def test_case_of_names_does_not_matter(server: Server) -> None:
    update = DynamicUpdate(server.server, "Example.Test.", KEY)
    update.publish([record("_Muster._TCP.EXAMPLE.test.", "H1.EXAMPLE.TEST")])
    update.publish([record(priority=1)])
    assert texts(server, GENERAL) == ["1 5 16880 h1.example.test 300"]


def test_many_hosts_publish_at_once(server: Server) -> None:
    def publish(number: int) -> None:
        update = DynamicUpdate(server.server, ZONE, KEY, timeout=20)
        update.publish(
            [record(target=f"h{number}.example.test"), record(LABEL, f"h{number}.example.test")]
        )

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(texts(server, GENERAL)) == len(texts(server, LABEL)) == 12


# Refusals, each by its own name and with something to do.


def test_wrong_secret(server: Server) -> None:
    wrong = TSIGKey(KEY.name, KEY.algorithm, b"another secret")
    fault = fault_of(DynamicUpdate(server.server, ZONE, wrong))
    assert fault.code == "dns/badsig"
    assert "host-key" in fault.what
    assert "secret" not in fault.what
    assert "another" not in repr(wrong)


def test_wrong_algorithm(server: Server) -> None:
    wrong = TSIGKey(KEY.name, "hmac-sha512", KEY.secret)
    assert fault_of(DynamicUpdate(server.server, ZONE, wrong)).code in {"dns/badsig", "dns/badkey"}


def test_unknown_key(server: Server) -> None:
    wrong = TSIGKey("nobody", KEY.algorithm, KEY.secret)
    assert fault_of(DynamicUpdate(server.server, ZONE, wrong)).code == "dns/badkey"


def test_no_key(server: Server) -> None:
    fault = fault_of(DynamicUpdate(server.server, ZONE, None))
    assert fault.code == "dns/refused"
    assert "--print" in fault.fix


def test_another_zone(server: Server) -> None:
    name = general_name("other.test")
    fault = fault_of(DynamicUpdate(server.server, "other.test", KEY), record(name))
    assert fault.code == "dns/notauth"
    assert "dig SOA other.test" in fault.fix


@pytest.mark.real
def test_a_key_that_may_not_write_this_name() -> None:
    try:
        named = Named(ZONE, keys=[KEY], policy='grant "host-key" name only.example.test. ANY;')
    except PartMissingError as missing:
        pytest.skip(str(missing))
    with named as server:
        fault = fault_of(DynamicUpdate(server.server, ZONE, KEY), record(), record(LABEL))
    assert fault.code == "dns/refused"
    assert "the key host-key" in fault.fix
    assert f"{GENERAL} SRV, {LABEL} SRV" in fault.fix


@pytest.mark.real
def test_the_names_that_a_refusal_lists_are_those_to_allow() -> None:
    lists = 'grant "host-key" name %s. SRV;'
    narrow = Named(ZONE, keys=[KEY], policy=lists % GENERAL)
    wide = Named(ZONE, keys=[KEY], policy=f"{lists % GENERAL} {lists % LABEL}")
    records = record(), record(LABEL)
    with narrow as server:
        assert fault_of(DynamicUpdate(server.server, ZONE, KEY), *records).code == "dns/refused"
        assert texts(server, GENERAL) == []
    with wide as server:
        assert DynamicUpdate(server.server, ZONE, KEY).publish(records).changed


# What a server says that it wrote and did not.


@pytest.mark.real
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("_muster._tcp IN CNAME elsewhere", f"{GENERAL} is a CNAME to elsewhere.{ZONE}"),
        ("_tcp IN DNAME services", f"_tcp.{ZONE} is a DNAME to services.{ZONE}"),
        ("_tcp IN NS ns.other.test.", f"_tcp.{ZONE} is delegated to ns.other.test"),
    ],
    ids=["alias", "aliased-above", "delegated"],
)
def test_what_bind_ignores_is_told(line: str, says: str) -> None:
    own = "0 5 16880 h1.example.test."
    # The alias leads to a record just like it: that is not the one that was written.
    elsewhere = f"elsewhere IN SRV {own}"
    with Named(ZONE, keys=[KEY], records=[line, elsewhere]) as server:
        update = DynamicUpdate(server.server, ZONE, KEY)
        for _ in range(2):
            fault = fault_of(update)
            assert fault.code == "dns/not-written"
            assert f"{GENERAL} SRV {own} is missing ({says})" in fault.what
        assert not update.withdraw([record()]).changed


@pytest.mark.real
def test_what_is_not_in_the_way_is_written_all_the_same() -> None:
    with Named(ZONE, keys=[KEY], records=["_muster._tcp IN CNAME elsewhere"]) as server:
        fault = fault_of(DynamicUpdate(server.server, ZONE, KEY), record(), record(LABEL))
        assert fault.code == "dns/not-written"
        assert LABEL not in fault.what
        assert texts(server, LABEL) == ["0 5 16880 h1.example.test 300"]


def test_a_server_that_keeps_nothing_is_told(nano: NanoDNS) -> None:
    nano.trouble(Trouble.FORGETS)
    fault = fault_of(DynamicUpdate(nano.server, ZONE, KEY))
    assert fault.code == "dns/not-written"
    assert f"{GENERAL} SRV 0 5 16880 h1.example.test. is missing." in fault.what
    nano.trouble(None)
    update = DynamicUpdate(nano.server, ZONE, KEY)
    update.publish([record()])
    nano.trouble(Trouble.FORGETS)
    with pytest.raises(MusterError) as caught:
        update.withdraw([record()])
    assert caught.value.code == "dns/not-written"
    assert f"{GENERAL} SRV 0 5 16880 h1.example.test. is still there" in caught.value.what


@pytest.mark.real
def test_a_clock_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is an hour ahead of BIND's."""
    with bind() as server:
        ahead = time.time() + 3600
        monkeypatch.setattr(time, "time", lambda: ahead)
        fault = fault_of(DynamicUpdate(server.server, ZONE, KEY))
        monkeypatch.undo()
    assert fault.code == "dns/badtime"
    assert "clock" in fault.fix


def test_a_clock_that_is_wrong_by_the_small_server() -> None:
    with NanoDNS(ZONE, keys=[KEY], skew=3600) as server:
        assert fault_of(DynamicUpdate(server.server, ZONE, KEY)).code == "dns/badtime"


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble.SERVFAIL, "dns/failed"),
        (Trouble.REFUSED, "dns/refused"),
        (Trouble.NOTAUTH, "dns/notauth"),
        (Trouble.SILENCE, "dns/timeout"),
        (Trouble.GARBAGE, "dns/garbage"),
        (Trouble.WRONG_ID, "dns/garbage"),
        (Trouble.HANG_UP, "dns/garbage"),
        (Trouble.UNSIGNED, "dns/unsigned"),
    ],
)
@pytest.mark.parametrize("where", [None, ZONE], ids=["everything", "only-updates"])
def test_troubles(nano: NanoDNS, trouble: Trouble, code: str, where: str | None) -> None:
    nano.trouble(trouble, where)
    fault = fault_of(DynamicUpdate(nano.server, ZONE, KEY, timeout=0.5))
    assert fault.code == code
    assert fault.fix
    nano.trouble(None, where)
    DynamicUpdate(nano.server, ZONE, KEY).publish([record()])


def test_a_server_that_takes_updates_but_shows_nothing(nano: NanoDNS) -> None:
    nano.trouble(Trouble.REFUSED, GENERAL)
    fault = fault_of(DynamicUpdate(nano.server, ZONE, KEY))
    assert fault.code == "dns/failed"
    assert nano.records(GENERAL, "SRV") == []


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert fault_of(DynamicUpdate(address, ZONE, KEY, timeout=0.4)).code == "dns/timeout"
    fault = fault_of(DynamicUpdate(address, ZONE, KEY))
    assert fault.code == "dns/unreachable"
    assert address in fault.what


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (record("_muster._tcp.other.test"), "dns/zone"),
        (record("example.test"), "dns/zone"),
        (record("_muster._tcp.notexample.test"), "dns/zone"),
        (record(port=0), "dns/record"),
        (record(port=65536), "dns/record"),
        (record(priority=-1), "dns/record"),
        (record(weight=65536), "dns/record"),
        (record(ttl=2**31), "dns/record"),
        (record(target="a b"), "net/dns-name"),
        (record("a\nb.example.test"), "net/dns-name"),
    ],
)
def test_records_that_cannot_be(nano: NanoDNS, wrong: SRVRecord, code: str) -> None:
    update = DynamicUpdate(nano.server, ZONE, KEY)
    assert fault_of(update, record(), wrong).code == code
    assert nano.asked == []
    with pytest.raises(MusterError):
        nsupdate_script([wrong], ZONE)


# What an administrator pastes.


def test_zone_lines_are_a_zone_file(nano: NanoDNS) -> None:
    import dns.zone

    text = zone_lines([record(), record(LABEL, weight=0)])
    assert text == (
        "_muster._tcp.example.test. 300 IN SRV 0 5 16880 h1.example.test.\n"
        "_acme._sub._muster._tcp.example.test. 300 IN SRV 0 0 16880 h1.example.test.\n"
    )
    zone = dns.zone.from_text(text, origin=ZONE, check_origin=False)
    assert zone.get_rdataset("_muster._tcp", "SRV") is not None


@pytest.mark.real
def test_the_script_works_with_nsupdate(server: Server, tmp_path: Path) -> None:
    if shutil.which("nsupdate") is None:
        pytest.skip("nsupdate is not installed: 'apt-get install bind9-dnsutils' brings it")
    key = tmp_path / "key"
    key.write_text(key_text(KEY))

    def run(script: str) -> None:
        subprocess.run(["nsupdate", "-k", str(key)], input=script, text=True, check=True)

    records = [record(), record(LABEL)]
    run(nsupdate_script(records, ZONE, server.server))
    assert texts(server, GENERAL) == texts(server, LABEL) == ["0 5 16880 h1.example.test 300"]
    DynamicUpdate(server.server, ZONE, KEY).publish([record(target="h2.example.test")])
    run(nsupdate_script(records, ZONE, server.server, withdraw=True))
    assert texts(server, GENERAL) == ["0 5 16880 h2.example.test 300"]
    assert texts(server, LABEL) == []


def test_the_script_without_a_server() -> None:
    assert nsupdate_script([record()], ZONE).splitlines() == [
        "zone example.test.",
        "update add _muster._tcp.example.test. 300 IN SRV 0 5 16880 h1.example.test.",
        "send",
        "answer",
    ]


# Key files.

SECRET = base64.b64encode(KEY.secret).decode()


@pytest.mark.parametrize(
    "text",
    [
        key_text(KEY),
        f'key "host-key" {{ algorithm hmac-sha256; secret "{SECRET}"; }};',
        f"key host-key. {{ secret {SECRET}; algorithm HMAC-SHA256; }};",
        f'# c\n// c "\n/* c\n}} */key "host-key" {{\n\talgorithm hmac-sha256; // why\n'
        f'\tsecret "{SECRET}";\n}};\n\n',
    ],
)
def test_key_files(text: str) -> None:
    assert parse_tsig_key(text) == KEY


@pytest.mark.real
def test_a_key_file_of_binds_own_tool() -> None:
    tool = shutil.which("tsig-keygen") or shutil.which("tsig-keygen", path="/usr/sbin")
    if tool is None:
        pytest.skip("tsig-keygen is not installed: 'apt-get install bind9' brings it")
    for algorithm in ("hmac-sha256", "hmac-sha512"):
        made = subprocess.run(
            [tool, "-a", algorithm, "my.key"], capture_output=True, text=True, check=True
        )
        key = parse_tsig_key(made.stdout)
        assert (key.name, key.algorithm) == ("my.key", algorithm)
        assert len(key.secret) >= 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key",
        'key "a" { };',
        'key "a" { algorithm hmac-sha256; };',
        'key "a" { secret "AAAA"; };',
        'key "a" { algorithm hmac-md5; secret "AAAA"; };',
        'key "a" { algorithm hmac-sha256; secret "A"; };',
        'key "a" { algorithm hmac-sha256; secret "AA AA"; };',
        'key "a" { algorithm hmac-sha256; secret ""; };',
        'key "a" { algorithm hmac-sha256; secret "AAAA" };',
        'key "a" { algorithm hmac-sha256; secret "AAAA"; }',
        'key "a" { algorithm hmac-sha256; secret "AAAA"; secret "BBBB"; };',
        'key "a" { algorithm hmac-sha256; secret "AAAA"; }; key "b" { };',
        'key "a b" { algorithm hmac-sha256; secret "AAAA"; };',
        'key "a { algorithm hmac-sha256; secret "AAAA"; };',
        'zone "a" { algorithm hmac-sha256; secret "AAAA"; };',
        '/* key "a" { algorithm hmac-sha256; secret "AAAA"; };',
    ],
)
def test_key_files_that_are_none(text: str) -> None:
    with pytest.raises(MusterError) as caught:
        parse_tsig_key(text)
    assert caught.value.code == "dns/key-file"
    assert "AAAA" not in str(caught.value)
    assert "tsig-keygen" in caught.value.why


@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from(
                ["key", '"a"', "{", "}", ";", "algorithm", "hmac-sha256", "secret", '"AAAA"']
            ),
            max_size=14,
        ).map(" ".join),
    )
)
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        key = parse_tsig_key(text)
    except MusterError as fault:
        assert fault.code == "dns/key-file"
    else:
        assert key.secret


# The real BIND as a part of tests.


@pytest.mark.real
def test_named_starts_stops_and_leaves_nothing() -> None:
    named = bind()
    with named as server:
        pid = server.pid
        assert pid is not None
        assert Path(f"/proc/{pid}").exists()
        assert "running" in server.log()
        folder = Path(server._folder.name if server._folder else "")
        assert folder.is_dir()
        assert Resolver([server.server]).addresses("ns.example.test") == ("127.0.0.1",)
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()
    named.stop()


@pytest.mark.real
def test_named_says_why_it_does_not_start() -> None:
    try:
        named = Named(ZONE, records=["this is no record"])
    except PartMissingError as missing:
        pytest.skip(str(missing))
    with pytest.raises(RuntimeError, match=r"zone\.db"):
        named.start()


def test_a_missing_named_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(PartMissingError, match="apt-get install bind9"):
        find_named()
