"""docs/spec/02-signed-objects.md, sections 2.2 and 2.4."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.lease.jws import (
    LEASE_TYP,
    NOTICE_TYP,
    MemorySigningKey,
    PublicKey,
    check_header,
    join,
    parse,
    sign,
    signing_input,
)
from muster.lease.strict import SMALL, b64url_decode, b64url_encode, canonical

KEY = MemorySigningKey(bytes(range(32)))
GOOD = sign({"a": 1}, LEASE_TYP, KEY)
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the group of Ed25519 (RFC 8032)."""


def code_of(text: str) -> str:
    """The code with which a text is refused."""
    with pytest.raises(MusterError) as caught:
        check_header(parse(text, SMALL), LEASE_TYP)
    return caught.value.code


def with_header(header: dict[str, Any] | bytes) -> str:
    """A well signed object with any header."""
    raw = header if isinstance(header, bytes) else canonical(header)
    signed = f"{b64url_encode(raw)}.{b64url_encode(b'{}')}".encode()
    return join(signed, KEY.sign(signed))


def test_the_good_one() -> None:
    compact = parse(GOOD, SMALL)
    assert check_header(compact, LEASE_TYP) == KEY.public.kid
    assert compact.payload == {"a": 1}
    assert compact.signing_input == signing_input({"a": 1}, LEASE_TYP, KEY.public.kid)
    assert b64url_decode(GOOD.split(".")[0], 200) == (
        b'{"alg":"EdDSA","kid":"' + KEY.public.kid.encode() + b'","typ":"muster-lease+jwt"}'
    )
    KEY.public.verify(compact.signature, compact.signing_input)


HEAD, BODY, SIGNATURE = GOOD.split(".")
FRACTION = b64url_encode(b'{"a":1.0}')


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("..", id="empty parts"),
        pytest.param(f"{HEAD}.{BODY}", id="two parts"),
        pytest.param(f"{GOOD}.", id="four parts"),
        pytest.param(f"{GOOD}.AAAA", id="four filled parts"),
        pytest.param(f".{GOOD}", id="a part before"),
        pytest.param(f" {GOOD}", id="space before"),
        pytest.param(f"{GOOD} ", id="space after"),
        pytest.param(f"{GOOD}\n", id="newline after"),
        pytest.param(f"{HEAD}\n.{BODY}.{SIGNATURE}", id="newline inside"),
        pytest.param(f"{HEAD}. {BODY}.{SIGNATURE}", id="space inside"),
        pytest.param(f"{HEAD}.{BODY}\t.{SIGNATURE}", id="tab inside"),
        pytest.param(f"{HEAD}=.{BODY}.{SIGNATURE}", id="padding in the header"),
        pytest.param(f"{HEAD}.{BODY}==.{SIGNATURE}", id="padding in the payload"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE}==", id="padding in the signature"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE[:-1]}{chr(ord(SIGNATURE[-1]) + 1)}", id="bits"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE[:-2]}", id="signature of 63 bytes"),
        pytest.param(f"{HEAD}.{BODY}.{SIGNATURE}AA", id="signature of 65 bytes"),
        pytest.param(f"{HEAD}.{BODY}.", id="no signature"),
        pytest.param(f"{HEAD}..{SIGNATURE}", id="no payload"),
        pytest.param(f"{HEAD}.{BODY}.{'Ａ' + SIGNATURE[1:]}", id="full-width letter"),
        pytest.param(f"{HEAD}.{BODY}.{'é' + SIGNATURE[1:]}", id="accent"),
        pytest.param(f"{HEAD}\u2024{BODY}\u2024{SIGNATURE}", id="dots that are no dots"),
        pytest.param(f"{HEAD}.{b64url_encode(b'[]')}.{SIGNATURE}", id="payload an array"),
        pytest.param(f"{HEAD}.{FRACTION}.{SIGNATURE}", id="payload not strict"),
        pytest.param(f"{b64url_encode(b'{}x')}.{BODY}.{SIGNATURE}", id="header not JSON"),
        pytest.param("A" * 100_000_000, id="megabytes"),
    ],
)
def test_malformed(text: str) -> None:
    assert code_of(text) == "licence/malformed"


def test_sizes_of_the_parts() -> None:
    fits = canonical({"a": "x" * (8192 - 8)})
    assert len(fits) == 8192
    assert parse(f"{HEAD}.{b64url_encode(fits)}.{SIGNATURE}", SMALL).payload
    over = canonical({"a": "x" * (8193 - 8)})
    assert code_of(f"{HEAD}.{b64url_encode(over)}.{SIGNATURE}") == "licence/malformed"
    assert code_of(f"{b64url_encode(over)}.{BODY}.{SIGNATURE}") == "licence/malformed"


def test_size_of_the_whole() -> None:
    """Parts that are small enough may still be too long together: 16,384 characters."""
    head = b64url_encode(canonical({"a": "x" * (6150 - 8)}))
    body = b64url_encode(canonical({"a": "x" * (6072 - 8)}))
    assert len(fits := f"{head}.{body}.{SIGNATURE}") == 16_384
    assert parse(fits, SMALL).text == fits
    over = f"{head}.{b64url_encode(canonical({'a': 'x' * (6073 - 8)}))}.{SIGNATURE}"
    assert len(over) == 16_386
    for text in (over, "A" * 16_385):
        with pytest.raises(MusterError, match="longer than 16384 characters"):
            parse(text, SMALL)


HEADER = {"alg": "EdDSA", "kid": KEY.public.kid, "typ": LEASE_TYP}


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": "RS256"},
        {"alg": "Ed448"},
        {"alg": "eddsa"},
        {"alg": "EDDSA"},
        {"alg": "EdDSA "},
        {"alg": ""},
        {"alg": None},
        {"alg": ["EdDSA"]},
        {"alg": 1},
        {"typ": "JWT"},
        {"typ": NOTICE_TYP},
        {"typ": "Muster-Lease+JWT"},
        {"typ": "application/muster-lease+jwt"},
        {"typ": None},
        {"typ": {}},
        {"kid": ""},
        {"kid": None},
        {"kid": 1},
        {"kid": KEY.public.kid[:-1]},
        {"kid": KEY.public.kid[:-1] + "B"},
        {"kid": KEY.public.kid + "\n"},
        {"kid": "../../etc/passwd"},
        {"crit": []},
        {"crit": ["exp"], "exp": 1},
        {"b64": False, "crit": ["b64"]},
        {"jwk": KEY.public.jwk},
        {"jku": "https://example.com/keys"},
        {"x5c": []},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"ALG": "EdDSA"},
        {"": 1},
    ],
    ids=repr,
)
def test_headers(change: dict[str, Any]) -> None:
    assert code_of(with_header(HEADER | change)) == "licence/header"


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_headers_that_lack_a_member(name: str) -> None:
    header = {key: value for key, value in HEADER.items() if key != name}
    assert code_of(with_header(header)) == "licence/header"
    assert code_of(with_header(header | {name.upper(): HEADER[name]})) == "licence/header"


def test_a_header_with_a_name_twice_is_malformed() -> None:
    raw = json.dumps(HEADER)[:-1] + ', "alg": "none"}'
    assert code_of(with_header(raw.encode())) == "licence/malformed"


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r\n"])
def test_no_white_space_around_a_header(space: str) -> None:
    """jwx for Go checks the signature over the header without it."""
    text = canonical(HEADER).decode()
    for raw in (space + text, text + space):
        assert code_of(with_header(raw.encode())) == "licence/malformed"


@pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
def test_both_names_of_the_algorithm(name: str) -> None:
    compact = parse(with_header(HEADER | {"alg": name}), SMALL)
    assert check_header(compact, LEASE_TYP) == KEY.public.kid


def test_header_in_another_order_is_good() -> None:
    raw = json.dumps({"typ": LEASE_TYP, "kid": KEY.public.kid, "alg": "EdDSA"}, indent=2)
    assert check_header(parse(with_header(raw.encode()), SMALL), LEASE_TYP) == KEY.public.kid


def test_signatures() -> None:
    compact = parse(GOOD, SMALL)
    good = compact.signature
    s = int.from_bytes(good[32:], "little")
    high = good[:32] + (s + ORDER).to_bytes(32, "little")
    bad = [
        high,
        good[:32] + (s + 2 * ORDER).to_bytes(32, "little"),
        good[:32] + ORDER.to_bytes(32, "little"),
        bytes(64),
        b"\xff" * 64,
        good[32:] + good[:32],
        good[:63],
        b"",
    ]
    for signature in bad:
        with pytest.raises(MusterError) as caught:
            KEY.public.verify(signature, compact.signing_input)
        assert caught.value.code == "licence/signature"
    with pytest.raises(MusterError):
        KEY.public.verify(good, compact.signing_input + b" ")
    with pytest.raises(MusterError):
        MemorySigningKey(bytes(32)).public.verify(good, compact.signing_input)


def test_keys_of_small_order_are_no_way_in() -> None:
    """Such a key takes some signatures of nobody's; only pinned keys are ever asked."""
    for raw in (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"):
        with pytest.raises(MusterError):
            PublicKey(raw).verify(KEY.sign(b"x"), b"x")


def test_rfc_8037() -> None:
    """Appendix A.1 to A.4: key, thumbprint, signature."""
    private = b64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", 32)
    key = MemorySigningKey(private)
    assert key.public.jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert key.public.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    assert b64url_encode(key.sign(signed)) == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        [],
        "key",
        {},
        KEY.public.jwk | {"d": "x"},
        KEY.public.jwk | {"kid": KEY.public.kid},
        KEY.public.jwk | {"alg": "EdDSA"},
        KEY.public.jwk | {"crv": "X25519"},
        KEY.public.jwk | {"crv": "Ed448"},
        KEY.public.jwk | {"crv": None},
        KEY.public.jwk | {"kty": "EC"},
        KEY.public.jwk | {"kty": ["OKP"]},
        KEY.public.jwk | {"x": KEY.public.jwk["x"] + "A"},
        KEY.public.jwk | {"x": KEY.public.jwk["x"] + "="},
        KEY.public.jwk | {"x": KEY.public.jwk["x"][:-1]},
        KEY.public.jwk | {"x": KEY.public.jwk["x"][:-1] + "/"},
        KEY.public.jwk | {"x": 1},
        {"crv": "Ed25519", "kty": "OKP"},
        {"crv": "Ed25519", "kty": "OKP", "X": KEY.public.jwk["x"]},
    ],
    ids=repr,
)
def test_jwks(jwk: Any) -> None:
    with pytest.raises(MusterError) as caught:
        PublicKey.from_jwk(jwk)
    assert caught.value.code == "licence/malformed"
    with pytest.raises(MusterError) as caught:
        PublicKey.from_jwk(jwk, "trust.muster.roots[0]", "trust/claims")
    assert caught.value.code in {"trust/claims", "licence/malformed"}


@given(st.binary(min_size=32, max_size=32))
def test_keys_round_trip(raw: bytes) -> None:
    key = MemorySigningKey.generate(raw)
    assert PublicKey.from_jwk(key.public.jwk) == key.public
    assert PublicKey.from_jwk(key.public.jwk).kid == key.public.kid
    key.public.verify(key.sign(b"data"), b"data")
    assert raw.hex() not in repr(key)
    assert b64url_encode(raw) not in repr(key)


def test_key_lengths() -> None:
    with pytest.raises(ValueError, match="32"):
        PublicKey(b"short")
    with pytest.raises(ValueError, match="32"):
        MemorySigningKey(b"short")


@given(st.text(max_size=300))
def test_any_text_gives_an_object_or_the_one_error(text: str) -> None:
    try:
        parse(text, SMALL)
    except MusterError as fault:
        assert fault.code == "licence/malformed"


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=4))
def test_any_parts_give_an_object_or_the_one_error(parts: list[bytes]) -> None:
    try:
        parse(".".join(map(b64url_encode, parts)), SMALL)
    except MusterError as fault:
        assert fault.code == "licence/malformed"
