"""The table of settings and the judging of values."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.audit import Event
from muster.core.errors import MusterError, Usage
from muster.core.settings import (
    SETTINGS,
    Role,
    Setting,
    Type,
    check,
    defaults,
    lookup,
    of_role,
    parse,
    split_host_port,
    split_listen,
    template,
    toml,
    value_text,
    warning,
)

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "muster"
PAGE = ROOT / "docs" / "settings.md"


def test_names_are_unique() -> None:
    assert len({(setting.role, setting.name) for setting in SETTINGS}) == len(SETTINGS)
    assert len({setting.env for setting in SETTINGS}) == len(SETTINGS)
    assert len({setting.full_name for setting in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: str(setting.full_name))
def test_every_row_is_whole(setting: Setting) -> None:
    assert check(setting, setting.default) == setting.default
    assert parse(setting, "" if setting.many else str(setting.default)) == setting.default
    assert setting.help.endswith(".")
    assert setting.env.startswith("MUSTER_")
    assert setting.flag == "--" + setting.name.replace("_", "-")
    assert (setting.type is Type.INTEGER) == (setting.minimum is not None)
    assert (setting.type is Type.INTEGER) == (setting.maximum is not None)
    assert (setting.type is Type.CHOICE) == bool(setting.choices)
    assert bool(setting.warning) == (setting.warn_above is not None)
    assert ("Not set" in setting.help) == (setting.default in {"", ()})


def test_the_ports_of_the_design() -> None:
    assert lookup("host", "port").default == 16880
    assert lookup("publisher", "port").default == 16882
    assert lookup("client", "port").default == lookup("host", "port").default


def test_intervals_as_in_the_field() -> None:
    """15 minutes to 30 days; 120 minutes and 7 days; a renewal above 15 days warns."""
    for name, default in (("retry_interval", 120 * 60), ("renewal_interval", 7 * 86_400)):
        setting = lookup("host", name)
        assert (setting.minimum, setting.maximum) == (15 * 60, 30 * 86_400)
        assert setting.default == default
        assert warning(setting, default) is None
    renewal = lookup("host", "renewal_interval")
    assert warning(renewal, 15 * 86_400) is None
    assert "15 days" in str(warning(renewal, 15 * 86_400 + 1))


def test_lookup() -> None:
    assert lookup("host", "retry-interval") is lookup("host", "retry_interval")
    assert lookup("common", "store").env == "MUSTER_STORE"
    assert lookup("host", "port").env == "MUSTER_HOST_PORT"
    assert defaults("publisher")["bind"] == "127.0.0.1"
    assert next(of_role("common")).name == "store"
    with pytest.raises(Usage) as caught:
        lookup("host", "retry_intervall")
    assert caught.value.code == "settings/unknown"
    assert "retry_interval" in caught.value.why
    with pytest.raises(Usage):
        lookup("nobody", "port")


GOOD: list[tuple[str, str, object, object]] = [
    ("host", "port", 0, 0),
    ("host", "port", 65535, 65535),
    ("host", "publish_dns", False, False),
    ("host", "bind", "::", "::"),
    ("host", "bind", "2001:DB8::0:1", "2001:db8::1"),
    ("host", "dns_domains", ["Example.COM.", "a_b.example"], ("example.com", "a_b.example")),
    ("host", "dns_zone", "", ""),
    ("host", "dns_server", "192.0.2.1:5353", "192.0.2.1:5353"),
    ("host", "dns_server", "[2001:db8::1]:53", "[2001:db8::1]:53"),
    ("host", "dns_server", "2001:db8::1", "2001:db8::1"),
    ("host", "allowed_networks", ["10.0.0.0/8", "2001:db8::/32"], ("10.0.0.0/8", "2001:db8::/32")),
    ("host", "allowed_networks", ["192.0.2.7"], ("192.0.2.7/32",)),
    ("client", "host", "muster.example.com:1700", "muster.example.com:1700"),
    ("client", "host", "MUSTER", "MUSTER"),
    ("client", "nameserver", ["127.0.0.1:5300"], ("127.0.0.1:5300",)),
    ("publisher", "url", "https://activate.example.com/", "https://activate.example.com"),
    ("common", "log_format", "json", "json"),
    ("common", "store", "/srv/ü", "/srv/ü"),
]


@pytest.mark.parametrize(("role", "name", "value", "wanted"), GOOD)
def test_good_values(role: str, name: str, value: object, wanted: object) -> None:
    setting = lookup(role, name)
    found = check(setting, value)
    assert found == wanted
    assert type(found) is type(wanted)
    assert check(setting, found) == found
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    assert parse(setting, text) == wanted


BAD: list[tuple[str, str, object]] = [
    ("host", "port", -1),
    ("host", "port", 65536),
    ("host", "port", "16880"),
    ("host", "port", True),
    ("host", "port", 1.0),
    ("host", "port", None),
    ("host", "retry_interval", 899),
    ("host", "retry_interval", 2_592_001),
    ("host", "publish_dns", 1),
    ("host", "publish_dns", "maybe"),
    ("host", "bind", ""),
    ("host", "bind", "localhost"),
    ("host", "bind", "1.2.3"),
    ("host", "dns_domains", "example.com"),
    ("host", "dns_domains", [""]),
    ("host", "dns_domains", ["-a.example"]),
    ("host", "dns_domains", ["a..example"]),
    ("host", "dns_domains", ["exämple.com"]),
    ("host", "dns_domains", ["a" * 64]),
    ("host", "dns_domains", ["a.b\n"]),
    ("host", "dns_domains", ["x.example"] * 257),
    ("host", "dns_server", "ns.example.com"),
    ("host", "dns_server", "192.0.2.1:0"),
    ("host", "dns_server", "192.0.2.1:99999"),
    ("host", "allowed_networks", ["10.0.0.1/8"]),
    ("host", "allowed_networks", ["10.0.0.0/33"]),
    ("host", "allowed_networks", [10]),
    ("client", "host", "[muster]:1"),
    ("client", "host", "a b"),
    ("client", "host", "http://muster"),
    ("client", "host", "muster:port"),
    ("client", "host", "muster:٣"),
    ("publisher", "url", "ftp://example.com"),
    ("publisher", "url", "https://ex ample.com"),
    ("common", "log_format", "xml"),
    ("common", "store", "a\x00b"),
    ("common", "store", "a" * 4097),
    ("common", "store", 5),
]


@pytest.mark.parametrize(("role", "name", "value"), BAD)
def test_bad_values(role: str, name: str, value: object) -> None:
    setting = lookup(role, name)
    with pytest.raises(Usage) as caught:
        check(setting, value)
    assert caught.value.code == "settings/value"
    assert setting.full_name in caught.value.what
    assert setting.wanted in caught.value.why
    assert caught.value.what.isascii()
    assert len(caught.value.what) < 160


@pytest.mark.parametrize("text", ["", "x", "1.5", "²", "٣", "1_000", "+1", " 1", "9" * 16])
def test_texts_that_are_no_whole_numbers(text: str) -> None:
    with pytest.raises(Usage):
        parse(lookup("host", "dns_weight"), text)


def test_texts_for_booleans() -> None:
    setting = lookup("host", "publish_dns")
    for text in ("true", "on", "Yes", "1"):
        assert parse(setting, text) is True
    for text in ("false", "OFF", "no", "0"):
        assert parse(setting, text) is False
    for text in ("", "y", "2", "wahr"):
        with pytest.raises(Usage):
            parse(setting, text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("muster", ("muster", 16880)),
        ("Muster.Example.com:1700", ("muster.example.com", 1700)),
        ("192.0.2.1", ("192.0.2.1", 16880)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("2001:db8::1", ("2001:db8::1", 16880)),
        ("[2001:db8::1]", ("2001:db8::1", 16880)),
        ("[2001:DB8::1]:65535", ("2001:db8::1", 65535)),
    ],
)
def test_hosts_with_and_without_port(text: str, wanted: tuple[str, int]) -> None:
    assert split_host_port(text, 16880) == wanted


@pytest.mark.parametrize(
    "text", ["", ":1", "a:", "a:0", "a:65536", "[::1", "::1]:5", "[1.2.3.4]:5", "a b", "a/b", "ü"]
)
def test_texts_that_name_no_host(text: str) -> None:
    with pytest.raises(Usage) as caught:
        split_host_port(text, 1)
    assert caught.value.code == "settings/host"


@given(st.sampled_from(SETTINGS), st.text() | st.from_regex(r"[\[\]a-z0-9.:/-]{0,30}"))
def test_any_text_is_a_value_or_a_documented_error(setting: Setting, text: str) -> None:
    try:
        value = parse(setting, text)
    except MusterError as caught:
        assert caught.code == "settings/value"
    else:
        assert check(setting, list(value) if isinstance(value, tuple) else value) == value


@given(st.text(st.characters(codec="utf-8")))
def test_texts_are_written_as_toml(text: str) -> None:
    assert tomllib.loads(f"x = {toml(text)}") == {"x": text}


def test_the_template_holds_every_setting_at_its_default() -> None:
    assert tomllib.loads(template()) == {
        "host": {},
        "client": {},
        "publisher": {},
        "manager": {},
    }
    wanted = template().splitlines()
    live = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in wanted
    )
    found = tomllib.loads(live)
    for setting in SETTINGS:
        section = found if setting.role is Role.COMMON else found[setting.role.value]
        assert check(setting, section[setting.name]) == setting.default


def test_every_setting_is_read_and_every_audit_event_is_written() -> None:
    """A row that nobody uses would be documentation of what is not there."""
    source = "".join(
        path.read_text() for path in SOURCE.rglob("*.py") if path.parent.name != "core"
    )
    unread = [one.name for one in SETTINGS if f'"{one.name}"' not in source]
    assert unread == []
    unwritten = [one.name for one in Event if not re.search(rf"\b{one.name}\b", source)]
    assert unwritten == []


def test_the_page_says_what_the_table_says() -> None:
    page = PAGE.read_text("utf-8")
    rows = [
        [cell.strip().replace("`", "") for cell in line.strip("| ").split(" | ")]
        for line in page.splitlines()
        if re.match(r"\| `[a-z_]+` \|", line)
    ]
    assert [row[:4] for row in rows] == [
        [
            one.name,
            f"{one.wanted} ({one.unit})" if one.unit else one.wanted,
            toml(one.default),
            one.env,
        ]
        for one in SETTINGS
    ]
    assert template() in page


def test_lists_and_texts_at_their_longest() -> None:
    domains, store = lookup("host", "dns_domains"), lookup("common", "store")
    assert len(str(check(store, "a" * 4096))) == 4096
    assert check(domains, ["x.example"] * 256) == ("x.example",) * 256
    longest = ".".join(("a" * 63, "b" * 63, "c" * 63, "d" * 61))
    assert len(longest) == 253
    assert check(domains, [f"{longest}."]) == (longest,)
    with pytest.raises(Usage):
        check(domains, [f"{longest}d"])


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("off", "off"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:65535", "127.0.0.1:65535"),
        ("[2001:DB8::1]:80", "[2001:db8::1]:80"),
        ("[fe80::1%eth0]:80", None),
        ("on", None),
        ("", None),
        ("127.0.0.1", None),
        ("127.0.0.1:65536", None),
        ("[127.0.0.1]:80", None),
        ("2001:db8::1:80", None),
        ("[fe80::1%a b]:80", None),
        ("256.0.0.1:80", None),
        ("localhost:80", None),
    ],
)
def test_where_to_listen(value: str, wanted: str | None) -> None:
    setting = lookup("host", "operation_address")
    if wanted is None:
        with pytest.raises(Usage):
            check(setting, value)
        assert split_listen(value) is None
    else:
        assert check(setting, value) == wanted
        assert (split_listen(value) is None) == (value == "off")


def test_addresses_with_a_zone() -> None:
    bind = lookup("host", "bind")
    assert check(bind, "fe80::1%eth0") == "fe80::1%eth0"
    for bad in ("fe80::1%", "fe80::1%a b", "fe80::1%\x1b", "192.0.2.1%eth0"):
        with pytest.raises(Usage):
            check(bind, bad)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ftp://user:secret@example.com/a?key=secret", "'ftp://\\u2026@example.com/a?\\u2026'"),
        ("ftp://example.com/?key=secret", "'ftp://example.com/?\\u2026'"),
        ("user:secret@example.com", "'\\u2026@example.com'"),
        ("a?b", "'a?b'"),
        ("a" * 78, f"'{'a' * 78}'"),
        ("a" * 79, f"'{'a' * 76}..."),
        (10**5000, "a number of thousands of digits"),
    ],
    ids=lambda value: f"{value!r:.20}" if isinstance(value, str) else "number",
)
def test_a_refused_value_is_shown_bounded_and_without_secrets(value: object, shown: str) -> None:
    with pytest.raises(Usage) as caught:
        check(lookup("publisher", "url"), value)
    assert f" {shown}" in caught.value.what
    assert ("..." in caught.value.what) == shown.endswith("...")


def test_only_what_must_be_is_escaped_in_toml() -> None:
    assert toml("a b!~é") == '"a b!~é"'
    assert toml('\x1f"\\\x7f') == r'"\u001F\u0022\u005C\u007F"'
    assert toml(("a", "b")) == '["a", "b"]'


def test_a_value_is_stored_as_it_is_typed() -> None:
    assert value_text(("192.0.2.0/24", "198.51.100.7")) == "192.0.2.0/24,198.51.100.7"
    assert value_text(("a",)) == "a"
    assert (value_text(True), value_text(False)) == ("true", "false")
    assert (value_text(7), value_text("Text")) == ("7", "Text")
