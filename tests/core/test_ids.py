"""Installation and confirmation IDs (docs/spec/01-identities.md, sections 1.10 and 1.11)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.digits import encode_groups, format_rows
from muster.core.errors import MusterError
from muster.core.identity import scrypt
from muster.core.ids import (
    ConfirmationId,
    InstallationId,
    check_proof,
    make_installation_id,
    parse_confirmation_id,
    parse_installation_id,
    proof_key,
)
from muster.core.keys import KeyId, Kind

PROOF_KEY = bytes(range(32))
DIGIT_CODES = {"digits/symbol", "digits/length", "digits/group"}
IID_CODES = DIGIT_CODES | {"id/version", "id/range", "id/shape", "key/kind"}
CID_CODES = DIGIT_CODES | {"id/version", "id/range"}

serials = st.integers(0, (1 << 24) - 1)
groups_ = st.integers(0, 1023)
bindings = st.integers(0, (1 << 100) - 1).map(lambda number: f"{number:025x}")
hardware = st.integers(0, (1 << 48) - 1).map(lambda number: f"{number:012x}")
proofs = st.integers(0, (1 << 48) - 1)
residues = st.integers(0, 255)
machines = st.builds(
    InstallationId,
    st.just(0),
    residues,
    st.builds(
        KeyId, st.sampled_from([kind for kind in Kind if kind != Kind.HOST]), groups_, serials
    ),
    bindings,
    st.none(),
    proofs,
)
hosts = st.builds(
    InstallationId,
    st.just(0),
    residues,
    st.builds(KeyId, st.just(Kind.HOST), groups_, serials),
    bindings,
    hardware,
    proofs,
)
confirmations = st.builds(
    ConfirmationId,
    residues,
    st.integers(0, 65535),
    st.integers(0, 63),
    st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, (1 << 253) - 1)).map(
        lambda pair: pair[0] + pair[1].to_bytes(32, "little")
    ),
)


def data_bits(text: str, width: int) -> str:
    """The bits behind an ID, by plain arithmetic on its digits."""
    digits = "".join(group[:5] for group in text.split("-"))
    bits = f"{int(digits):b}".rjust(width, "0")
    assert len(bits) == width
    return bits


def test_layout_of_a_machine_by_hand() -> None:
    key_id = KeyId(Kind.RETAIL, 12, 345_678)
    iid = InstallationId(0, 0x5A, key_id, "f00000000000000000000000d", None, 0xC0FFEE123456)
    expected = (
        "000"
        + "01011010"
        + ("100" + "0000001100" + "000001010100011001001110")
        + ("1111" + "0" * 92 + "1101")
        + "110000001111111111101110000100100011010001010110"
    )
    assert data_bits(iid.text, 196) == expected
    assert iid.proof_input == int(expected[:148], 2).to_bytes(19, "big")
    assert len(iid.groups) == 12


def test_layout_of_a_host_by_hand() -> None:
    key_id = KeyId(Kind.HOST, 1, 2)
    iid = InstallationId(0, 255, key_id, "0" * 24 + "1", "80000000000f", 1)
    expected = (
        "000"
        + "11111111"
        + ("000" + "0000000001" + "000000000000000000000010")
        + ("0" * 99 + "1")
        + ("1" + "0" * 43 + "1111")
        + ("0" * 47 + "1")
    )
    assert data_bits(iid.text, 244) == expected
    assert iid.proof_input == int(expected[:196], 2).to_bytes(25, "big")
    assert len(iid.groups) == 15


def test_layout_of_a_confirmation_by_hand() -> None:
    r = bytes(range(32))
    s = bytes(range(100, 131)) + b"\x0f"
    cid = ConfirmationId(0xA5, 400, 3, r + s)
    expected = (
        "00"
        + "10100101"
        + "0000000110010000"
        + "000011"
        + "".join(f"{byte:08b}" for byte in r)
        + "".join(f"{byte:08b}" for byte in reversed(s))[3:]
    )
    assert len(expected) == 541
    assert data_bits(cid.text, 541) == expected
    assert len(cid.groups) == 33


@given(machines | hosts)
def test_installation_ids_round_trip(iid: InstallationId) -> None:
    assert parse_installation_id(iid.text) == iid
    assert parse_installation_id(format_rows(iid.groups)) == iid


@given(confirmations)
def test_confirmation_ids_round_trip(cid: ConfirmationId) -> None:
    assert parse_confirmation_id(cid.text) == cid
    assert parse_confirmation_id(format_rows(cid.groups)) == cid


@given(st.integers(0, 10**60 - 1))
def test_any_twelve_groups_are_an_id_or_a_documented_error(value: int) -> None:
    text = "-".join(encode_groups(value, 12))
    try:
        assert parse_installation_id(text).text == text
    except MusterError as caught:
        assert caught.code in IID_CODES


@given(st.integers(0, 10**75 - 1))
def test_any_fifteen_groups_are_an_id_or_a_documented_error(value: int) -> None:
    text = "-".join(encode_groups(value, 15))
    try:
        assert parse_installation_id(text).text == text
    except MusterError as caught:
        assert caught.code in IID_CODES


@given(st.integers(0, 10**165 - 1))
def test_any_33_groups_are_an_id_or_a_documented_error(value: int) -> None:
    text = "-".join(encode_groups(value, 33))
    try:
        assert parse_confirmation_id(text).text == text
    except MusterError as caught:
        assert caught.code in CID_CODES


@given(st.text() | st.text("0123456789-", max_size=240))
def test_any_text_is_an_id_or_a_documented_error(text: str) -> None:
    for parse, codes in (
        (parse_installation_id, IID_CODES),
        (parse_confirmation_id, CID_CODES),
    ):
        try:
            parse(text)
        except MusterError as caught:
            assert caught.code in codes


@pytest.mark.parametrize(
    ("top", "code"),
    [(0b01 << 539, "id/version"), (0b11 << 539, "id/version"), (1 << 541, "id/range")],
)
def test_confirmation_ids_of_other_versions(top: int, code: str) -> None:
    with pytest.raises(MusterError) as caught:
        parse_confirmation_id("-".join(encode_groups(top, 33)))
    assert caught.value.code == code


@pytest.mark.parametrize("size", [12, 15])
def test_an_installation_id_is_no_confirmation_id(size: int) -> None:
    with pytest.raises(MusterError) as caught:
        parse_confirmation_id("-".join(encode_groups(1, size)))
    assert caught.value.code == "digits/length"


def machine(trust: int = 3) -> InstallationId:
    return make_installation_id(trust, KeyId(Kind.MAK, 1, 2), "0" * 25, None, PROOF_KEY)


def host() -> InstallationId:
    return make_installation_id(3, KeyId(Kind.HOST, 1, 2), "0" * 25, "0" * 12, PROOF_KEY)


@pytest.mark.parametrize("iid", [machine(), host()], ids=["machine", "host"])
def test_the_proof_by_hand(iid: InstallationId) -> None:
    size = 19 if iid.hw is None else 25
    body = f"{3:011b}" + f"{iid.key_id.number:037b}" + "0" * (100 if iid.hw is None else 148)
    digest = hmac.new(PROOF_KEY, int(body, 2).to_bytes(size, "big"), hashlib.sha256).hexdigest()
    assert f"{iid.proof:012x}" == digest[:12]
    check_proof(iid, PROOF_KEY)


@pytest.mark.parametrize("iid", [machine(), host()], ids=["machine", "host"])
def test_the_proof_covers_every_field(iid: InstallationId) -> None:
    changed = [
        replace(iid, trust_residue=4),
        replace(iid, key_id=replace(iid.key_id, serial=3)),
        replace(iid, key_id=replace(iid.key_id, group=2)),
        replace(iid, binding="0" * 24 + "1"),
        replace(iid, proof=iid.proof ^ 1),
        replace(iid, proof=iid.proof ^ (1 << 47)),
    ]
    if iid.hw is None:
        changed.append(replace(iid, key_id=replace(iid.key_id, kind=Kind.RETAIL)))
    else:
        changed.append(replace(iid, hw="0" * 11 + "1"))
    for other in changed:
        with pytest.raises(MusterError) as caught:
            check_proof(other, PROOF_KEY)
        assert caught.value.code == "id/proof"
    with pytest.raises(MusterError):
        check_proof(iid, bytes(32))


def test_only_the_residue_of_the_trust_version_is_said() -> None:
    assert machine(256 + 3) == machine(3)
    assert machine(255).trust_residue == 255


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 8}, "id/range"),
        ({"trust_residue": 256}, "id/range"),
        ({"trust_residue": -1}, "id/range"),
        ({"binding": "0" * 24}, "id/grammar"),
        ({"binding": "0" * 24 + "A"}, "id/grammar"),
        ({"hw": "0" * 12}, "id/shape"),
        ({"proof": 1 << 48}, "id/range"),
    ],
)
def test_fields_that_do_not_fit(changes: dict[str, object], code: str) -> None:
    with pytest.raises(MusterError) as caught:
        replace(machine(), **changes)  # type: ignore[arg-type]  # one wrong field at a time
    assert caught.value.code == code


def test_a_host_needs_its_hardware() -> None:
    with pytest.raises(MusterError) as caught:
        replace(host(), hw=None)
    assert caught.value.code == "id/shape"
    with pytest.raises(MusterError) as caught:
        replace(host(), hw="xyz")
    assert caught.value.code == "id/grammar"


@pytest.mark.parametrize(
    ("index", "day", "term", "signature"),
    [
        (256, 0, 0, bytes(64)),
        (-1, 0, 0, bytes(64)),
        (0, 65536, 0, bytes(64)),
        (0, 0, 64, bytes(64)),
        (0, 0, 0, bytes(63)),
        (0, 0, 0, bytes(65)),
        (0, 0, 0, bytes(63) + b"\x20"),
    ],
)
def test_confirmation_fields_that_do_not_fit(
    index: int, day: int, term: int, signature: bytes
) -> None:
    with pytest.raises(MusterError) as caught:
        ConfirmationId(index, day, term, signature)
    assert caught.value.code == "id/range"


@pytest.mark.parametrize("version", range(1, 8))
@pytest.mark.parametrize("iid", [machine(), host()], ids=["machine", "host"])
def test_installation_ids_of_other_versions(iid: InstallationId, version: int) -> None:
    later = replace(iid, version=version)
    bits = data_bits(later.text, 196 if iid.hw is None else 244)
    assert int(bits[:3], 2) == version
    assert bits[3:] == data_bits(iid.text, len(bits))[3:]
    with pytest.raises(MusterError, match=rf"\b{version}\b") as caught:
        parse_installation_id(later.text)
    assert caught.value.code == "id/version"


@pytest.mark.parametrize(("size", "bits"), [(12, 196), (15, 244)])
def test_an_installation_id_has_no_bit_more(size: int, bits: int) -> None:
    with pytest.raises(MusterError) as caught:
        parse_installation_id("-".join(encode_groups(1 << bits, size)))
    assert caught.value.code == "id/range"


def test_the_key_of_proofs_by_hand() -> None:
    """1.10.2: scrypt of the tag, with the publisher and the key id as its salt."""
    publisher, key_id, tag = "abcdefghijkl2345", KeyId(Kind.MAK, 1, 2), b"7 bytes"
    salt = b"muster-proof-v1" + publisher.encode() + key_id.packed
    assert proof_key(publisher, key_id, tag) == scrypt(tag, salt)
    for wrong in (tag[:6], tag + b"8"):
        with pytest.raises(ValueError, match="7 bytes"):
            proof_key(publisher, key_id, wrong)
    with pytest.raises(MusterError):
        proof_key("x", key_id, tag)
