"""Names, machines, fingerprints, bindings (docs/spec/01-identities.md, 1.1 to 1.3, 1.6 to 1.8)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core import identity
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.keys import KeyId, Kind

ROOT = bytes(range(32))
PUBLISHER = identity.publisher_id(ROOT)
KEY_ID = KeyId(Kind.MAK, 12, 345_678)
TAG = bytes(range(7))
UUID = "4c4c4544-0043-3510-8052-b4c04f4d4d31"


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(MusterError) as caught:
        call()
    return caught.value.code


@given(st.binary(min_size=32, max_size=32))
def test_publisher_ids_and_prefixes_agree(root: bytes) -> None:
    publisher = identity.publisher_id(root)
    assert identity.check_publisher_id(publisher) == publisher
    digest = hashlib.sha256(b"muster-publisher-v1" + root).digest()
    assert base64.b32decode(publisher.upper()) == digest[:10]
    assert identity.publisher_prefix(root) == digest[0] * 256 + digest[1]
    assert identity.prefix_of(publisher) == identity.publisher_prefix(root)


@given(st.binary(min_size=32, max_size=32), st.sampled_from(identity.IDENTITY_MODES))
def test_cmids_name_a_key_among_the_machines_of_a_publisher(public: bytes, mode: str) -> None:
    found = identity.machine_cmid(PUBLISHER, mode, public)
    digest = hashlib.sha256(f"muster-cmid-v2{PUBLISHER}{mode}".encode() + public).digest()
    assert identity.check_uuid(found) == found
    assert uuid.UUID(found).version == 8
    assert uuid.UUID(found).variant == uuid.RFC_4122
    assert uuid.UUID(found).int & ~((0xF << 76) | (0x3 << 62)) == int.from_bytes(
        digest[:16], "big"
    ) & ~((0xF << 76) | (0x3 << 62))
    others = {identity.machine_cmid(PUBLISHER, one, public) for one in identity.IDENTITY_MODES}
    assert len(others) == len(identity.IDENTITY_MODES)
    assert identity.machine_cmid(identity.publisher_id(bytes(32)), mode, public) not in others


def test_device_keys_are_stable_and_differ_between_publishers() -> None:
    other = identity.publisher_id(bytes(32))
    found = identity.device_seed(UUID, PUBLISHER)
    assert found == identity.device_seed(UUID, PUBLISHER)
    assert found != identity.device_seed(UUID, other)
    assert identity.device_salt(UUID, PUBLISHER) != identity.device_salt(UUID, other)


def test_explicit_keys_follow_from_the_given_id() -> None:
    found = identity.explicit_seed(PUBLISHER, "till 17")
    assert found == identity.scrypt(b"till 17", f"muster-explicit-v2{PUBLISHER}".encode())
    assert found != identity.explicit_seed(PUBLISHER, "till 18")


@pytest.mark.parametrize("given_id", ["", "x" * 257, "ü" * 129, "\ud800"])
def test_explicit_ids_that_are_refused(given_id: str) -> None:
    assert code_of(lambda: identity.explicit_seed(PUBLISHER, given_id)) == "id/explicit"


GRAMMARS: list[tuple[Callable[[object], object], list[str], list[object]]] = [
    (
        identity.check_publisher_id,
        [PUBLISHER, "a" * 16, "7" * 16],
        ["", "a" * 15, "a" * 17, "A" * 16, "1" * 16, "a" * 15 + "\n", "ａ" * 16, None, 7],
    ),
    (
        identity.check_label,
        ["a", "example-1", "-" * 20],
        ["", "a" * 21, "A", "a.b", "a_b", "ü", "a\n", None],
    ),
    (
        identity.check_name,
        ["a", "suite.desktop-2026", "." * 64],
        ["", "a" * 65, "A", "a b", "a/b", "é", "٣", "a\n", None],
    ),
    (
        identity.check_uuid,
        [UUID],
        [
            "",
            UUID.upper(),
            UUID.replace("-", ""),
            "{" + UUID + "}",
            UUID + "\n",
            UUID[:-1] + "g",
            None,
        ],
    ),
    (
        identity.check_token,
        ["A" * 22, "-_09azAZ" * 2 + "abcdeQ"],
        [
            "",
            "A" * 21,
            "A" * 23,
            "A" * 21 + "B",
            "A" * 21 + "=",
            "A" * 21 + "\n",
            "+" * 21 + "A",
            5,
        ],
    ),
    (identity.check_binding, ["0" * 25, "f" * 25], ["0" * 24, "0" * 26, "F" * 25, "٣" * 25, None]),
    (identity.check_hardware_id, ["0" * 12, "f" * 12], ["0" * 11, "0" * 13, "F" * 12, None]),
    (identity.check_mode, list(identity.IDENTITY_MODES), ["", "Machine", "other", None, 1, []]),
]


@pytest.mark.parametrize(
    ("check", "good", "bad"), GRAMMARS, ids=lambda part: getattr(part, "__name__", "")
)
def test_grammars(check: Callable[[object], object], good: list[str], bad: list[object]) -> None:
    for value in good:
        assert check(value) == value
    for wrong in bad:
        assert code_of(lambda wrong=wrong: check(wrong)) == "id/grammar"  # type: ignore[misc]


def test_fingerprints_that_travel() -> None:
    one, two = "0" * 16, "f" * 16
    assert identity.check_fingerprint([]) == ()
    assert identity.check_fingerprint([one, two]) == (one, two)
    sixteen = [f"{number:016x}" for number in range(16)]
    assert identity.check_fingerprint(sixteen) == tuple(sixteen)
    bad: list[object] = [
        None,
        one,
        {one: two},
        [two, one],
        [one, one],
        [one.upper() if one.upper() != one else "F" * 16],
        ["0" * 15],
        [0],
        [*sixteen, two],
    ]
    for wrong in bad:
        assert code_of(lambda wrong=wrong: identity.check_fingerprint(wrong)) == "id/grammar"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("Upper", "x"),
        ("nul\x00", "x"),
        ("a" * 33, "x"),
        ("name", ""),
        ("name", "x" * 1025),
        ("name", "\udcff"),
    ],
)
def test_facts_that_are_refused(name: str, value: str) -> None:
    assert code_of(lambda: Fact(name, value)) == "id/fact"


facts = st.builds(
    Fact,
    st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
)


@given(st.lists(facts, max_size=16), st.binary(max_size=40))
def test_commitments_are_sorted_and_distinct(some: list[Fact], salt: bytes) -> None:
    found = identity.commitments(salt, some)
    assert identity.check_fingerprint(list(found)) == found
    expected = {
        hmac.new(salt, f"{fact.name}\0{fact.value}".encode(), "sha256").hexdigest()[:16]
        for fact in some
    }
    assert set(found) == expected


def test_seventeen_facts_are_too_many() -> None:
    some = [Fact("serial", str(number)) for number in range(17)]
    assert len(identity.commitments(b"salt", some[:16])) == 16
    assert code_of(lambda: identity.commitments(b"salt", some)) == "id/facts"


@pytest.mark.parametrize("n", range(1, 17))
def test_a_match_needs_six_tenths_rounded_up(n: int) -> None:
    lease = [f"{number:016x}" for number in range(n)]
    least = ceil(Fraction(6, 10) * n)
    assert identity.needed(n) == least
    for held in range(n + 1):
        now = [*lease[:held], "f" * 16]
        assert identity.match(lease, now) == (held, n)
        assert identity.matches(lease, now) == (held >= least)


def test_an_empty_fingerprint_matches_nothing() -> None:
    assert not identity.matches((), ())
    assert not identity.matches((), ("0" * 16,))
    assert not identity.matches(("0" * 16,), ())


def test_the_primary_fact_is_the_best_that_there_is() -> None:
    store = bytes(range(32))
    board = Fact("board-serial", "b")
    macs = identity.macs_fact(["A4:BF:01:02:03:04", "00:1b:21:0a:0b:0c", "a4:bf:01:02:03:04"])
    assert macs == Fact("permanent-macs", "00:1b:21:0a:0b:0c,a4:bf:01:02:03:04")
    system = Fact("system-uuid", UUID)
    other = Fact("cpu-model", "c")
    assert identity.primary_fact([other, macs, board, system], store) == system
    assert identity.primary_fact([macs, other, board], store) == board
    assert identity.primary_fact([other, macs], store) == macs
    assert identity.primary_fact([other], store) == Fact("store-random", store.hex())
    assert identity.primary_fact([], store) == Fact("store-random", store.hex())
    with pytest.raises(ValueError, match="32 bytes"):
        identity.primary_fact([], b"short")


def test_bindings_by_hand() -> None:
    fact = Fact("system-uuid", UUID)
    key_id = bytes([0x04, 0x0C, 0x05, 0x46, 0x4E])  # kind 001, group 0000001100, serial 345678

    def scrypt(secret: bytes, salt: bytes) -> bytes:
        return hashlib.scrypt(secret, salt=salt, n=16384, r=8, p=1, dklen=32, maxmem=1 << 26)

    salted = scrypt(TAG, b"muster-facts-v1" + PUBLISHER.encode() + key_id)
    assert identity.facts_salt(PUBLISHER, KEY_ID, TAG) == salted
    hashed = scrypt(b"system-uuid\0" + UUID.encode(), salted)

    def sha(word: bytes, rest: bytes) -> str:
        return hashlib.sha256(word + PUBLISHER.encode() + key_id + rest).hexdigest()

    assert identity.binding(PUBLISHER, KEY_ID, TAG, fact) == sha(b"muster-binding-v1", hashed)[:25]
    assert identity.hardware_id(PUBLISHER, KEY_ID, TAG, fact) == sha(b"muster-hw-v1", hashed)[:12]
    assert identity.host_binding(PUBLISHER, KEY_ID, ROOT) == sha(b"muster-host-v1", ROOT)[:25]
    jti = identity.grant_jti(PUBLISHER, KEY_ID, "0" * 25)
    digest = hashlib.sha256(f"muster-jti-v1/{PUBLISHER}/1-12-345678/{'0' * 25}".encode()).digest()
    assert base64.urlsafe_b64decode(jti + "==") == digest[:16]
    nonce = identity.nonce_of(bytes(32))
    digest = hashlib.sha256(b"muster-nonce-v1" + bytes(32)).digest()
    assert base64.urlsafe_b64decode(nonce + "==") == digest[:16]
    assert identity.check_token(nonce) == nonce


def test_bindings_follow_the_hardware_and_the_key_only() -> None:
    fact, other = Fact("system-uuid", UUID), Fact("board-serial", UUID)
    found = identity.binding(PUBLISHER, KEY_ID, TAG, fact)
    assert found == identity.binding(PUBLISHER, KEY_ID, TAG, fact)
    different = {
        identity.binding(PUBLISHER, KEY_ID, TAG, other),
        identity.binding(PUBLISHER, KEY_ID, bytes(7), fact),
        identity.binding(PUBLISHER, KeyId(Kind.MAK, 12, 1), TAG, fact),
        identity.binding(identity.publisher_id(bytes(32)), KEY_ID, TAG, fact),
    }
    assert len(different) == 4
    assert found not in different


@pytest.mark.parametrize(
    "call",
    [
        lambda: identity.publisher_id(bytes(31)),
        lambda: identity.machine_cmid(PUBLISHER, "machine", bytes(15)),
        lambda: identity.nonce_of(bytes(31)),
        lambda: identity.host_binding(PUBLISHER, KEY_ID, bytes(33)),
        lambda: identity.binding(PUBLISHER, KEY_ID, bytes(6), Fact("a", "b")),
        lambda: identity.salted_binding(PUBLISHER, KEY_ID, bytes(7), Fact("a", "b")),
    ],
)
def test_inputs_of_the_wrong_size_are_bugs(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="bytes"):
        call()
