"""Layout, reading and masking of product keys (docs/spec/01-identities.md, 1.4 and 1.5)."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.characters import PASSED_OVER
from muster.core.errors import MusterError, Refusal, Usage
from muster.core.keys import (
    ALPHABET,
    SERIALS,
    KeyId,
    Kind,
    ProductKey,
    check_symbol,
    compute_tag,
    make_product_key,
    mask_keys,
    mask_typed,
    parse_product_key,
    verify_tag,
)

TAG_KEY = bytes(range(32))
KEY = make_product_key(TAG_KEY, Kind.MAK, 0xBEEF, 12, 345_678)
CODES = {"key/symbol", "key/length", "key/check", "key/version", "key/kind", "key/range"}

kinds = st.sampled_from(list(Kind))
product_keys = st.builds(
    ProductKey,
    version=st.just(0),
    kind=kinds,
    prefix=st.integers(0, 0xFFFF),
    group=st.integers(0, 1023),
    tag=st.integers(0, (1 << 55) - 1),
    serial=st.integers(0, SERIALS - 1),
)


def refused(text: str) -> MusterError:
    with pytest.raises(MusterError) as caught:
        parse_product_key(text)
    return caught.value


def base24(text: str) -> int:
    number = 0
    for symbol in text:
        number = number * 24 + "BCDFGHJKMPQRTVWXY2346789".index(symbol)
    return number


def test_layout_of_a_key_by_hand() -> None:
    """Head: version 00, kind 001 (mak), prefix 1011111011101111, group 0000001100."""
    plain = KEY.text.replace("-", "")
    head = "00" + "001" + "1011111011101111" + "0000001100"
    assert len(head) == 31
    assert base24(plain[:7]) == int(head, 2)
    assert KEY.head_bytes == int(head, 2).to_bytes(4, "big")
    message = int(head, 2).to_bytes(4, "big") + bytes([0x05, 0x46, 0x4E])
    digest = hmac.new(TAG_KEY, message, hashlib.sha256).hexdigest()
    assert f"{base24(plain[7:19]):055b}" == f"{int(digest, 16):0256b}"[:55]
    assert base24(plain[19:24]) == 345_678 == 0x05464E


def test_layout_of_a_key_id_by_hand() -> None:
    key_id = KeyId(Kind.RETAIL, 12, 345_678)
    packed = "100" + "0000001100" + "000001010100011001001110"
    assert len(packed) == 37
    assert key_id.packed == int(packed, 2).to_bytes(5, "big")
    assert key_id.text == str(key_id) == "4-12-345678"
    assert KEY.key_id == KeyId(Kind.MAK, 12, 345_678)


@given(product_keys)
def test_round_trip(key: ProductKey) -> None:
    assert parse_product_key(key.text) == key
    assert KeyId.parse(key.key_id.text) == key.key_id == KeyId.unpack(key.key_id.number)


@given(
    kinds,
    st.integers(0, 0xFFFF),
    st.integers(0, 1023),
    st.integers(0, SERIALS - 1),
    st.binary(min_size=32, max_size=32),
)
def test_made_keys_carry_their_tag(
    kind: Kind, prefix: int, group: int, serial: int, tag_key: bytes
) -> None:
    key = make_product_key(tag_key, kind, prefix, group, serial)
    assert key.tag == compute_tag(tag_key, key.head_bytes, serial)
    verify_tag(tag_key, key)


@pytest.mark.parametrize("bit", [0, 1, 27, 54])
def test_another_tag_is_refused(bit: int) -> None:
    forged = ProductKey(0, KEY.kind, KEY.prefix, KEY.group, KEY.tag ^ (1 << bit), KEY.serial)
    with pytest.raises(Refusal) as caught:
        verify_tag(TAG_KEY, forged)
    assert caught.value.code == "key/tag"
    assert KEY.text not in str(caught.value)
    with pytest.raises(Refusal):
        verify_tag(bytes(32), KEY)


@given(product_keys)
def test_case_spaces_and_dashes_are_forgiven(key: ProductKey) -> None:
    plain = key.text.replace("-", "")
    for typed in (
        plain,
        plain.lower(),
        key.text.lower(),
        key.text.replace("-", " "),
        " \t" + "-".join(plain) + "\r\n",
        key.text.replace("-", "\n"),
    ):
        assert parse_product_key(typed) == key


@pytest.mark.parametrize("count", [0, 1, 24, 26, 50])
def test_a_wrong_length_says_how_many(count: int) -> None:
    caught = refused("B" * count)
    assert caught.code == "key/length"
    assert f"has {count} symbols" in caught.what


def test_a_very_long_text_is_refused_unread() -> None:
    assert refused("-" * 1001).code == "key/length"
    assert refused("B" * 1_000_000).code == "key/length"


@pytest.mark.parametrize(
    ("symbol", "shown"),
    [
        ("0", "0"),
        ("A", "A"),
        ("n", "n"),
        ("%", "%"),
        ("=", "="),
        ("\u30fc", "U+30FC"),  # a letter that looks like a dash
        ("²", "U+00B2"),
        ("３", "U+FF13"),
        ("٣", "U+0663"),
        ("Ｋ", "U+FF2B"),
        ("\u212a", "U+212A"),  # Kelvin: its lower case is k
        ("В", "U+0412"),  # Cyrillic
        ("\x00", "U+0000"),
        ("\x1b", "U+001B"),
        ("\ud800", "U+D800"),
    ],
)
@pytest.mark.parametrize("place", [1, 12, 25])
def test_a_foreign_symbol_is_named_with_its_place(symbol: str, shown: str, place: int) -> None:
    plain = KEY.text.replace("-", "")
    caught = refused(plain[: place - 1] + symbol + plain[place:])
    assert caught.code == "key/symbol"
    assert f"contains {shown} at place {place}," in caught.what
    assert f"in group {(place + 4) // 5}." in caught.what


def test_only_ascii_is_ever_read() -> None:
    """Whatever some function of Python takes for a letter or digit of ASCII refuses here.

    Tried: the first 12,288 characters, and every other one whose capital, small letter, digit
    value or compatibility form is ASCII. What is passed over is no letter and no number at all.
    """
    assert not any(unicodedata.category(one)[0] in "LN" for one in PASSED_OVER)
    accepted = set(ALPHABET) | set(ALPHABET.lower()) | PASSED_OVER
    tried = 0
    for character in map(chr, range(0x110000)):
        alike = (
            character.isdigit()
            or character.upper().isascii()
            or character.lower().isascii()
            or unicodedata.normalize("NFKC", character).isascii()
        )
        if character not in accepted and (alike or ord(character) < 0x3000):
            assert refused(character).code == "key/symbol"
            tried += 1
    assert tried > 0x3000


def test_a_failed_check_says_what_may_be_wrong() -> None:
    plain = KEY.text.replace("-", "")
    swapped = plain[1] + plain[0] + plain[2:]
    caught = refused(swapped)
    assert caught.code == "key/check"
    assert "one symbol is wrong, or two neighbouring symbols are swapped" in caught.why


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_unknown_version_is_refused(version: int) -> None:
    text = ProductKey(version, Kind.MAK, 0, 0, 0, 0).text
    caught = refused(text)
    assert isinstance(caught, Refusal)
    assert caught.code == "key/version"
    assert f"version {version}" in caught.what


@given(st.text())
def test_any_text_is_a_key_or_a_documented_error(text: str) -> None:
    try:
        parse_product_key(text)
    except MusterError as caught:
        assert caught.code in CODES


@given(st.text(ALPHABET, min_size=25, max_size=25))
def test_any_symbols_are_a_key_or_a_documented_error(text: str) -> None:
    try:
        assert parse_product_key(text).text.replace("-", "") == text
    except MusterError as caught:
        assert caught.code in CODES


@given(product_keys, st.integers(0, 24), st.characters())
def test_no_error_shows_the_key(key: ProductKey, place: int, character: str) -> None:
    plain = key.text.replace("-", "")
    try:
        parse_product_key(plain[:place] + character + plain[place + 1 :])
    except MusterError as caught:
        said = f"{caught} {caught.what} {caught.why} {caught.fix} {caught.params}"
        groups = key.text.split("-")
        assert not any(group in said for group in groups[:4])


@given(product_keys)
def test_repr_and_str_are_masked(key: ProductKey) -> None:
    assert str(key) == key.masked
    assert repr(key) == f"ProductKey({key.masked})"
    assert key.masked == "XXXXX-XXXXX-XXXXX-XXXXX-" + key.text[-5:]


@given(product_keys)
def test_keys_in_texts_are_masked(key: ProductKey) -> None:
    plain = key.text.replace("-", "")
    for shape in (key.text, key.text.lower(), plain, plain.lower(), key.text.replace("-", " ")):
        hidden = mask_keys(f"key={shape}, again: {shape}.")
        assert shape not in hidden
        assert hidden.count("XXXXX-XXXXX-XXXXX-XXXXX-" + shape[-5:]) == 2
    mistyped = "0" + key.text[1:]
    assert mistyped not in mask_keys(mistyped)


def test_other_texts_are_not_masked() -> None:
    for text in (
        "000059-524170-985415-821313-218653-690794",
        "6ba7b810-9dad-81d1-80b4-00c04fd430c8",
        "the host has told its count",
    ):
        assert mask_keys(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "key/id"),
        ("1-2", "key/id"),
        ("1-2-3-4", "key/id"),
        ("01-2-3", "key/id"),
        ("1-02-3", "key/id"),
        ("1-2-3 ", "key/id"),
        ("-1-2-3", "key/id"),
        ("1-2-٣", "key/id"),
        ("1-2-²", "key/id"),
        ("1-2-99999999999", "key/id"),
        ("5-2-3", "key/kind"),
        ("1-1024-3", "key/range"),
        ("1-2-16777216", "key/range"),
    ],
)
def test_refused_key_ids(text: str, code: str) -> None:
    with pytest.raises(MusterError) as caught:
        KeyId.parse(text)
    assert caught.value.code == code


@given(st.text() | st.from_regex(r"[0-9]{1,3}-[0-9]{1,5}-[0-9]{1,9}", fullmatch=True))
def test_any_text_is_a_key_id_or_a_documented_error(text: str) -> None:
    try:
        assert KeyId.parse(text).text == text
    except MusterError as caught:
        assert caught.code in {"key/id", "key/kind", "key/range"}


@pytest.mark.parametrize("number", [-1, 1 << 37, 5 << 34])
def test_numbers_that_are_no_key_id(number: int) -> None:
    with pytest.raises(MusterError) as caught:
        KeyId.unpack(number)
    assert caught.value.code == ("key/kind" if number == 5 << 34 else "key/range")
    assert caught.value.params.get("maximum", (1 << 37) - 1) == (1 << 37) - 1


@pytest.mark.parametrize(
    ("field", "below"),
    [("version", 4), ("prefix", 65_536), ("group", 1024), ("tag", 1 << 55), ("serial", 24**5)],
)
def test_a_key_holds_no_number_beyond_its_bits(field: str, below: int) -> None:
    def key(value: int) -> ProductKey:
        changed: dict[str, Any] = {field: value}
        return replace(KEY, **changed)

    assert getattr(key(below - 1), field) == below - 1
    for value in (-1, below):
        with pytest.raises(Usage) as caught:
            key(value)
        assert caught.value.code == "key/range"
        assert caught.value.params == {"field": field, "value": value, "maximum": below - 1}


def test_a_tag_beyond_its_bits_is_refused_without_being_shown() -> None:
    """Twelve symbols hold a little more than 55 bits."""
    plain = KEY.text.replace("-", "")
    symbols = [ALPHABET.index(symbol) for symbol in plain[:7]] + [23] * 12
    symbols += [ALPHABET.index(symbol) for symbol in plain[19:24]]
    fault = refused("".join(ALPHABET[value] for value in (*symbols, check_symbol(symbols))))
    assert fault.code == "key/range"
    assert fault.params == {"field": "tag", "value": "too large", "maximum": "55 bits"}


def test_a_text_is_read_up_to_a_thousand_characters() -> None:
    assert parse_product_key(KEY.text + " " * (1000 - len(KEY.text))) == KEY
    fault = refused(KEY.text + " " * (1001 - len(KEY.text)))
    assert (fault.code, fault.params) == ("key/length", {"count": "more than 1000"})


def test_groups_of_a_key_that_was_taken_apart_are_masked() -> None:
    first, second, *_, last = KEY.text.split("-")
    assert mask_typed(f"no such option: {first} {second}") == "no such option: XXXXX XXXXX"
    assert mask_typed(f"install-key {first} x") == f"install-key {first} x"
    assert mask_typed(f"key {KEY.masked} is unknown") == f"key {KEY.masked} is unknown"
    assert mask_typed(KEY.text) == f"XXXXX-XXXXX-XXXXX-XXXXX-{last}"


@pytest.mark.parametrize(
    ("prefix", "group", "serial"),
    [(-1, 0, 0), (65536, 0, 0), (0, -1, 0), (0, 1024, 0), (0, 0, -1), (0, 0, SERIALS)],
)
def test_numbers_that_do_not_fit_are_refused(prefix: int, group: int, serial: int) -> None:
    with pytest.raises(Usage) as caught:
        make_product_key(TAG_KEY, Kind.HOST, prefix, group, serial)
    assert caught.value.code == "key/range"


def test_kinds_by_text_and_number() -> None:
    texts = ["host", "mak", "setup", "evaluation", "retail"]
    assert [kind.text for kind in Kind] == texts
    assert [Kind.of(text) for text in texts] == [Kind.numbered(n) for n in range(5)] == list(Kind)
    for wrong in ("", "HOST", "kms"):
        with pytest.raises(MusterError) as caught:
            Kind.of(wrong)
        assert caught.value.code == "key/kind"


def test_tags_need_a_key_and_a_head_of_the_right_size() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        compute_tag(bytes(31), bytes(4), 0)
    with pytest.raises(ValueError, match="32 bytes"):
        compute_tag(bytes(32), bytes(5), 0)
