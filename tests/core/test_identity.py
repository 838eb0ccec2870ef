"""Names, machines, fingerprints, bindings (docs/spec/01-identities.md, 1.1 to 1.3, 1.6 to 1.8)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable

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
ONE_UUID = "44454c4c-4300-1035-8052-b4c04f4d4d31"
"""The same machine in the other byte order: the smaller text stands in hashes."""


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
    one, two = "b" + "0" * 16, "u" + "f" * 16
    assert identity.check_fingerprint([]) == ()
    assert identity.check_fingerprint([one, two]) == (one, two)
    sixteen = [f"n{number:016x}" for number in range(16)]
    assert identity.check_fingerprint(sixteen) == tuple(sixteen)
    bad: list[object] = [
        None,
        one,
        {one: two},
        [two, one],
        [one, one],
        ["u" + "F" * 16],
        ["U" + "f" * 16],
        ["0" * 16],
        ["0" * 17],
        ["b" + "0" * 15],
        ["b" + "0" * 17],
        ["\u00e9" + "0" * 16],
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


names = st.sampled_from([*identity.LETTERS, "machine-id", "cpu-model"])
some_facts = st.lists(st.builds(Fact, names, st.text("0:ab,f-", min_size=1, max_size=40)))


@given(some_facts | st.lists(facts), st.binary(max_size=40))
def test_commitments_are_sorted_and_distinct(some: list[Fact], salt: bytes) -> None:
    found = identity.commitments(salt, some)
    assert identity.check_fingerprint(list(found)) == found
    letters = {identity.LETTERS.get(fact.name) for fact in some} - {None}
    assert {one[0] for one in found} <= letters
    assert found == identity.commitments(salt, reversed(some))


def test_only_what_the_machine_carries_is_committed() -> None:
    image = [Fact("machine-id", "ab" * 16), Fact("cpu-model", "a processor"), Fact("x", "y")]
    assert identity.commitments(b"salt", image) == ()
    board = Fact("board-serial", "BOARD-1")
    digest = hmac.new(b"salt", b"board-serial\0BOARD-1", "sha256").hexdigest()[:16]
    assert identity.commitments(b"salt", [*image, board]) == (f"b{digest}",)


def test_each_address_is_a_commitment_and_the_lowest_are_kept() -> None:
    addresses = [f"a4:bf:01:00:00:{n:02x}" for n in range(40)]
    cards = Fact("permanent-macs", ",".join(reversed(addresses)))
    few = Fact("permanent-macs", ",".join(addresses[:15]))
    board = Fact("board-serial", "BOARD-1")
    found = identity.commitments(b"salt", [cards, board])
    assert found == identity.commitments(b"salt", [few, board])
    assert [one[0] for one in found] == ["b", *"n" * 15]


def test_both_byte_orders_of_a_uuid_are_one_machine() -> None:
    here, there = "421f245c-7fa8-60fa-6af6-a46351ced0eb", "5c241f42-a87f-fa60-6af6-a46351ced0eb"
    assert identity.one_uuid(here) == identity.one_uuid(there) == here
    one, other = Fact("system-uuid", here), Fact("system-uuid", there)
    assert one.raw == other.raw
    assert identity.commitments(b"salt", [one]) == identity.commitments(b"salt", [other])
    assert identity.device_seed(here, PUBLISHER) == identity.device_seed(there, PUBLISHER)
    assert identity.device_salt(here, PUBLISHER) == identity.device_salt(there, PUBLISHER)
    assert code_of(lambda: identity.one_uuid(here.upper())) == "id/grammar"


def test_a_comparison_is_told_in_words() -> None:
    stored = ["d" + "0" * 16, "n" + "0" * 16, "u" + "0" * 16, "x" + "0" * 16]
    now = ["d" + "0" * 16, "n" + "1" * 16, "x" + "1" * 16]
    compared = identity.compare(stored, now)
    assert compared.text == "permanent-macs differs, x differs, disk-serial agrees"
    assert identity.compare(stored[:1], now[1:]).text == "no fact can be compared"
    assert not identity.compare(stored[:1], now[1:]).comparable


fingerprints = st.sets(
    st.builds(lambda letter, n: f"{letter}{n:016x}", st.sampled_from("bcdnpux"), st.integers(0, 2)),
    max_size=16,
)


@given(fingerprints, fingerprints, st.booleans())
def test_matching_keeps_its_promises(stored: set[str], now: set[str], uuid: bool) -> None:
    assert identity.matches(stored, now) == identity.matches(now, stored)
    assert identity.matches(stored, stored) == bool(stored)
    if not stored & now:
        assert not identity.matches(stored, now), "nothing is shared"
    if identity.matches(stored, now):
        kept = {one for one in now if one in stored or one[0] == "u"}
        assert identity.matches(stored, kept), "leaving contradictions out makes it another"
    if uuid:
        assert not identity.matches(stored | {"u" + "a" * 16}, (now - stored) | {"u" + "b" * 16})


@given(fingerprints.filter(bool), st.data())
def test_reading_less_makes_no_other_machine(stored: set[str], data: st.DataObject) -> None:
    less = data.draw(st.sets(st.sampled_from(sorted(stored)), min_size=1))
    assert identity.matches(stored, less)


def test_an_empty_fingerprint_matches_nothing() -> None:
    assert not identity.matches((), ())
    assert not identity.matches((), ("u" + "0" * 16,))
    assert not identity.matches(("u" + "0" * 16,), ())


def test_a_fingerprint_of_one_kind_is_weak() -> None:
    assert identity.weak(())
    assert identity.weak(["n" + "0" * 16, "n" + "1" * 16])
    assert not identity.weak(["d" + "0" * 16, "n" + "1" * 16])


def test_the_primary_fact_is_the_best_that_there_is() -> None:
    store = bytes(range(32))
    board = Fact("board-serial", "b")
    cloud = Fact("cloud-instance", "i-0123456789abcdef0")
    macs = Fact("permanent-macs", "52:54:00:01:02:03,a4:bf:01:02:03:04,b0:1b:21:0a:0b:0c")
    system = Fact("system-uuid", UUID)
    other = Fact("cpu-model", "c")
    assert identity.primary_fact([other, macs, cloud, board, system], store) == system
    assert identity.primary_fact([macs, other, cloud, board], store) == board
    assert identity.primary_fact([macs, other, cloud], store) == cloud
    lowest = Fact("permanent-mac", "a4:bf:01:02:03:04")
    assert identity.primary_fact([other, macs], store) == lowest
    random = Fact("store-random", store.hex())
    assert identity.primary_fact([other], store) == random
    assert identity.primary_fact([], store) == random
    guest = Fact("permanent-macs", "52:54:00:01:02:03")
    assert identity.primary_fact([guest], store) == random
    assert identity.binding_facts([macs, system, cloud], store) == (
        system,
        cloud,
        lowest,
        Fact("permanent-mac", "b0:1b:21:0a:0b:0c"),
        random,
    )
    with pytest.raises(ValueError, match="32 bytes"):
        identity.primary_fact([], b"short")


def test_bindings_by_hand() -> None:
    fact = Fact("system-uuid", UUID)
    key_id = bytes([0x04, 0x0C, 0x05, 0x46, 0x4E])  # kind 001, group 0000001100, serial 345678

    def scrypt(secret: bytes, salt: bytes) -> bytes:
        return hashlib.scrypt(secret, salt=salt, n=16384, r=8, p=1, dklen=32, maxmem=1 << 26)

    salted = scrypt(TAG, b"muster-facts-v1" + PUBLISHER.encode() + key_id)
    assert identity.facts_salt(PUBLISHER, KEY_ID, TAG) == salted
    hashed = scrypt(b"system-uuid\0" + ONE_UUID.encode(), salted)

    def sha(word: bytes, rest: bytes) -> str:
        return hashlib.sha256(word + PUBLISHER.encode() + key_id + rest).hexdigest()

    assert identity.binding(PUBLISHER, KEY_ID, TAG, fact) == sha(b"muster-binding-v1", hashed)[:25]
    assert identity.hardware_id(PUBLISHER, KEY_ID, TAG, fact) == sha(b"muster-hw-v1", hashed)[:12]
    assert identity.host_binding(PUBLISHER, KEY_ID, ROOT) == sha(b"muster-host-v1", ROOT)[:25]
    jti = identity.grant_jti(PUBLISHER, KEY_ID, "0" * 25)
    digest = hashlib.sha256(f"muster-jti-v1/{PUBLISHER}/1-12-345678/{'0' * 25}".encode()).digest()
    assert base64.urlsafe_b64decode(jti + "==") == digest[:16]
    nonce = identity.nonce_of(bytes(range(16)))
    assert base64.urlsafe_b64decode(nonce + "==") == bytes(range(16))
    assert identity.nonce_prefix(nonce) == nonce[:8]
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
        lambda: identity.nonce_of(bytes(15)),
        lambda: identity.host_binding(PUBLISHER, KEY_ID, bytes(33)),
        lambda: identity.binding(PUBLISHER, KEY_ID, bytes(6), Fact("a", "b")),
        lambda: identity.salted_binding(PUBLISHER, KEY_ID, bytes(7), Fact("a", "b")),
    ],
)
def test_inputs_of_the_wrong_size_are_bugs(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="bytes"):
        call()


# Edges of what is taken.


def test_an_id_of_the_operators_has_1_to_256_bytes() -> None:
    for given_id in ("a", "é" * 128, "a" * 256):
        assert len(identity.explicit_seed(PUBLISHER, given_id)) == 32
    for bad in ("", "a" * 257, "é" * 129):
        assert code_of(lambda: identity.explicit_seed(PUBLISHER, bad)) == "id/explicit"  # noqa: B023


def test_a_fact_has_at_most_1024_bytes() -> None:
    longest = "é" * 512
    assert Fact("board-serial", longest).value == longest
    with pytest.raises((MusterError, ValueError)):
        Fact("board-serial", longest + "a")


def test_of_two_values_of_a_fact_the_lower_counts() -> None:
    """Whoever passes them, in whatever order."""
    lower, higher = Fact("board-serial", "A1"), Fact("board-serial", "B2")
    for both in ([lower, higher], [higher, lower]):
        assert identity.commitments(b"s" * 32, both) == identity.commitments(b"s" * 32, [lower])


def test_what_is_in_common_may_agree_or_contradict() -> None:
    one, other = ("d" + "0" * 16,), ("d" + "1" * 16,)
    assert identity.compare(one, one).comparable
    assert identity.compare(one, other).comparable
    assert not identity.compare(one, ("u" + "0" * 16,)).comparable
