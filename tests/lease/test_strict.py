"""docs/spec/02-signed-objects.md, sections 2.1 to 2.3."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.house.growth import growth

from muster.core.errors import MusterError
from muster.lease import strict
from muster.lease.strict import SMALL, Limits, b64url_decode, b64url_encode, canonical, read

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, strict.MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
WIDE = Limits(1 << 20, 32, 4096, 4096)


def refused(data: bytes, limits: Limits = SMALL) -> str:
    """The detail of the refusal."""
    with pytest.raises(MusterError) as caught:
        read(data, limits, "sample")
    assert caught.value.code == "licence/malformed"
    assert caught.value.params["where"] == "sample"
    return str(caught.value.params["detail"])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"a":1,"a":2}', id="at the top"),
        pytest.param(b'{"a":1,"a":1}', id="with the same value"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="hidden by an escape"),
        pytest.param(b'{"b":{"a":1,"a":2}}', id="in an object"),
        pytest.param(b'{"b":[{"c":{"a":1,"a":2}}]}', id="in an array, deep"),
        pytest.param(b'{"":1,"":2}', id="empty names"),
    ],
)
def test_a_name_that_stands_twice(data: bytes) -> None:
    assert refused(data) == "a member name that appears twice"


@pytest.mark.parametrize(
    "number",
    [
        b"-1",
        b"-0",
        b"1.0",
        b"1.5",
        b"0.0",
        b"1e3",
        b"1E3",
        b"1e-3",
        b"-1e400",
        b"1e999999999",
        b"9007199254740992",
        b"18446744073709551617",
        b"9" * 5000,
        b"NaN",
        b"Infinity",
        b"-Infinity",
    ],
)
def test_numbers_that_are_no_integers(number: bytes) -> None:
    assert "integer from 0 to 2^53-1" in refused(b'{"a":' + number + b"}")
    assert "integer from 0 to 2^53-1" in refused(b'{"a":[' + number + b"]}")


@pytest.mark.parametrize("number", [b"01", b"00", b"+1", b"0x1", b"1_0", b".5", b"5.", b"\xd9\xa3"])
def test_numbers_that_are_no_json(number: bytes) -> None:
    refused(b'{"a":' + number + b"}")


def test_integers_at_the_edge() -> None:
    assert read(b'{"a":9007199254740991,"b":0}', SMALL) == {"a": 2**53 - 1, "b": 0}
    assert type(read(b'{"a":7}', SMALL)["a"]) is int


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"a"',
        b"1",
        b"{",
        b"}",
        b"{}}",
        b"{}{}",
        b"{} x",
        b'{"a":1,}',
        b"{,}",
        b"{'a':1}",
        b"{a:1}",
        b'{"a" 1}',
        b'{"a":1 "b":2}',
        b'{"a":[1,]}',
        b'{"a":[1}',
        b'{"a":{]}',
        b'{"a":"}',
        b'{"a":"\n"}',
        b'{"a":"\x00"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\u12"}',
        b'{"a":"\\',
        b'{"a":tru}',
        b'{"a":True}',
        b'{"a":undefined}',
        b'{"a":1}//',
        b'/**/{"a":1}',
        b'\x0b{"a":1}',
        b'\xc2\xa0{"a":1}',
        b'{"a":1}\x00',
    ],
)
def test_not_json(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":"\xc0\xaf"}', id="overlong"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate as bytes"),
        pytest.param(b'{"a":"\\ud800"}', id="high surrogate alone"),
        pytest.param(b'{"a":"\\udc00"}', id="low surrogate alone"),
        pytest.param(b'{"a":"\\udc00\\ud800"}', id="surrogates the wrong way round"),
        pytest.param(b'{"a":"\\uD800x\\uDC00"}', id="surrogates apart"),
        pytest.param(b'{"\\ud83d":1}', id="in a name"),
        pytest.param(b'{"a":[{"b":"\\uDFFF"}]}', id="deep"),
    ],
)
def test_texts_that_are_no_unicode(data: bytes) -> None:
    refused(data)


def test_a_surrogate_pair_is_one_character() -> None:
    assert read(b'{"a":"\\ud83d\\ude00"}', SMALL) == {"a": "😀"}


def test_names_are_compared_exactly() -> None:
    assert read(b'{"exp":1,"EXP":2,"\xd0\xb5xp":3}', SMALL) == {"exp": 1, "EXP": 2, "еxp": 3}


def test_white_space_is_allowed_where_json_allows_it() -> None:
    assert read(b' \t\r\n{ "a" : [ 1 , 2 ] } \n', SMALL) == {"a": [1, 2]}


def test_limits_are_those_of_the_chapter() -> None:
    chapter = Path(__file__).parents[2] / "docs/spec/02-signed-objects.md"
    rows = re.findall(
        r"^\| [^|]+ ((?:\| [0-9,]+ ){4})\|$", chapter.read_text("utf-8"), re.MULTILINE
    )
    written = [Limits(*(int(cell.replace(",", "")) for cell in row.split("|")[1:])) for row in rows]
    limits = [SMALL, strict.TRUST, strict.CATALOGUE, strict.BUNDLE, strict.DESCRIPTOR]
    assert written == [*limits, strict.SITE, strict.SITE_FILE]


def test_limits_at_their_edges() -> None:
    limits = Limits(bytes=40, levels=3, members=3, items=2)
    assert read(b'{"a":{"b":{"c":1}}}', limits) == {"a": {"b": {"c": 1}}}
    assert "deeper" in refused(b'{"a":{"b":[[1]]}}', limits)
    assert read(b'{"a":[[1],[2]]}', limits) == {"a": [[1], [2]]}
    assert "items" in refused(b'{"a":[1,2,3]}', limits)
    assert "items" in refused(b'{"a":[{},2,3]}', limits)
    assert read(b'{"a":[],"b":2,"c":3}', limits)
    assert read(b'{"a":1,"b":2,"c":3}', limits)
    assert "members" in refused(b'{"a":1,"b":2,"c":{"d":3}}', limits)
    assert read(b'{"a":"' + b"x" * 32 + b'"}', limits)
    assert "longer" in refused(b'{"a":"' + b"x" * 33 + b'"}', limits)


def test_marks_inside_strings_do_not_count() -> None:
    limits = Limits(bytes=400, levels=1, members=1, items=1)
    text = "[{]}:," * 20 + '\\"' + "\\\\"
    assert read(b'{"a":"' + text.encode() + b'"}', limits)
    assert read(b'{"a":"\\\\"}', limits) == {"a": "\\"}


@pytest.mark.parametrize(
    ("start", "unit", "most"),
    [
        pytest.param(b"", b'{"a":', 700_000, id="objects"),
        pytest.param(b'{"a":', b"[", 4_000_000, id="arrays"),
        pytest.param(b"", b"]", 4_000_000, id="closing"),
        pytest.param(b'{"a":"', b'\\"', 2_000_000, id="escaped quotes without an end"),
        pytest.param(b"", b'"', 4_000_001, id="quotes"),
        pytest.param(b'{"a":"', b"\\", 4_000_001, id="backslashes"),
        pytest.param(b'{"a":[', b"1,", 65_537, id="items"),
        pytest.param(b"{", b'"a":1,', 262_145, id="members"),
        pytest.param(b'{"a":', b"9", 4_000_000, id="one long number"),
    ],
)
def test_bombs_cost_one_scan(start: bytes, unit: bytes, most: int) -> None:
    refused(start + unit * most, strict.CATALOGUE)
    long, short = (start + unit * (most // share) for share in (32, 320))
    assert growth(lambda data: refused(data, strict.CATALOGUE), short, long) < 5


def test_a_huge_body_is_refused_unread() -> None:
    assert refused(b"[" * 100_000_000) == "longer than 8192 bytes"


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_the_one_error(data: bytes) -> None:
    try:
        value = read(data, SMALL)
    except MusterError as fault:
        assert fault.code == "licence/malformed"
    else:
        assert isinstance(value, dict)


@given(st.text(alphabet='{}[]",:\\ud8c0123eE+-.tfn\n x', max_size=60))
def test_nearly_json_gives_what_the_standard_library_gives(text: str) -> None:
    try:
        value = read(text.encode(), SMALL)
    except MusterError:
        return
    assert value == json.loads(text)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    data = canonical(value)
    assert read(data, WIDE) == value
    assert canonical(read(data, WIDE)) == data
    pretty = json.dumps(value, indent=1, ensure_ascii=True).encode()
    assert canonical(read(pretty, WIDE)) == data


@given(VALUES.filter(lambda value: not isinstance(value, dict)))
def test_the_top_is_an_object(value: Any) -> None:
    assert refused(json.dumps(value).encode(), WIDE) == "not an object"


def test_the_largest_integer_is_written_and_read() -> None:
    value = {"a": strict.MAX_INTEGER}
    assert canonical(value) == b'{"a":9007199254740991}'
    assert read(canonical(value), SMALL) == value


def test_canonical_sorts_by_utf_16() -> None:
    """The example of RFC 8785, section 3.2.3."""
    value = {
        "€": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "😀": "Emoji: Grinning Face",
        "\x80": "Control",
        "ö": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(value))) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


def test_canonical_escapes_as_rfc_8785() -> None:
    value = {"a": '€$\x0f\nA\'B"\\\\"/\x7f\x1f\t\b\f\r'}
    assert (
        canonical(value)
        == '{"a":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\\u001f\\t\\b\\f\\r"}'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [-1, 2**53, 1.0, float("nan"), "\ud800", b"x", {1: 2}, {"\udc00": 1}, {None: 1}, {1, 2}],
)
def test_canonical_refuses_what_no_reader_takes(value: Any) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        canonical({"a": value})
    assert type(caught.value) is ValueError, "it was refused before it was encoded"


@given(st.binary(max_size=100))
def test_base64url_round_trip(data: bytes) -> None:
    text = b64url_encode(data)
    assert b64url_decode(text, len(data)) == data
    assert "=" not in text


def test_a_text_that_holds_too_much_is_refused_by_its_length() -> None:
    for limit in range(8):
        text = b64url_encode(bytes(limit))
        assert b64url_decode(text, limit) == bytes(limit)
        with pytest.raises(MusterError) as caught:
            b64url_decode(text + "A", limit)
        assert caught.value.params["detail"] == f"longer than {limit} bytes"


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AAAAA",
        "AA==",
        "AAA=",
        "AB",
        "AAB",
        "A/",
        "A+AA",
        "AA AA",
        "AAAA\n",
        "\nAAAA",
        "AAAA ",
        "ＡＡＡＡ",
        "ÁAAA",
        "AAAA\x00",
        "AA.A",
        "AA=A",
    ],
)
def test_base64url_that_is_not_canonical(text: str) -> None:
    with pytest.raises(MusterError) as caught:
        b64url_decode(text, 100)
    assert caught.value.code == "licence/malformed"


def test_base64url_limit_counts_bytes() -> None:
    for size in range(12):
        text = b64url_encode(b"\x00" * size)
        assert b64url_decode(text, size) == b"\x00" * size
        if size:
            with pytest.raises(MusterError):
                b64url_decode(text, size - 1)


@given(st.text(max_size=20))
def test_one_value_has_one_base64url_text(text: str) -> None:
    try:
        data = b64url_decode(text, 100)
    except MusterError:
        return
    assert b64url_encode(data) == text
