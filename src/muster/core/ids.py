"""Installation IDs and confirmation IDs: what is read aloud, typed, scanned or sent.

Decides which bits stand where and whether an ID is whole. Refuses to know whether its key was
issued, and leaves the signature of a confirmation ID to `muster.lease.grant`.
Obeys docs/spec/01-identities.md, sections 1.10 (installation ID) and 1.11 (confirmation ID).
"""

from __future__ import annotations

import hashlib
import hmac

from muster.core.catalogue import error
from muster.core.digits import decode_groups, encode_groups, parse_groups
from muster.core.identity import check_binding, check_hardware_id, check_publisher_id, scrypt
from muster.core.keys import KeyId, Kind
from muster.core.values import dataclass

MACHINE_GROUPS, HOST_GROUPS, CONFIRMATION_GROUPS = 12, 15, 33
"""Digit groups of an installation ID, of a host's one, and of a confirmation ID."""
VERSION = 0
"""The one version of both IDs that exists."""

_MACHINE_BITS, _HOST_BITS, _CONFIRMATION_BITS = 196, 244, 541
_PROOF_BITS = 48
_S_BITS = 253


def _bounded(field: str, value: int, bits: int) -> int:
    """The value, or `id/range` when it does not fit its bits."""
    if value < 0 or value >> bits:
        raise error("id/range", field=field)
    return value


@dataclass(frozen=True, slots=True)
class InstallationId:
    """What a machine or a host shows to be activated.

    `version` 0; `trust_residue` the machine's trust version mod 256; `binding` 25 and `hw` 12
    hexadecimal digits (`hw` only and always with a host key); `proof` 48 bits that only a holder
    of the product key can make. Raises `id/range`, `id/grammar` or `id/shape`.
    Source: docs/spec/01-identities.md, section 1.10.
    """

    version: int
    trust_residue: int
    key_id: KeyId
    binding: str
    hw: str | None
    proof: int

    def __post_init__(self) -> None:
        _bounded("version", self.version, 3)
        _bounded("trust version", self.trust_residue, 8)
        check_binding(self.binding)
        if self.hw is not None:
            check_hardware_id(self.hw)
        if (self.hw is not None) != (self.key_id.kind is Kind.HOST):
            raise error("id/shape", kind=self.key_id.kind.text, groups=self._group_count)
        _bounded("proof", self.proof, _PROOF_BITS)

    @property
    def _group_count(self) -> int:
        return MACHINE_GROUPS if self.hw is None else HOST_GROUPS

    @property
    def _body(self) -> int:
        """The bits before the proof."""
        body = (self.version << 8) | self.trust_residue
        body = (body << 37) | self.key_id.number
        body = (body << 100) | int(self.binding, 16)
        return body if self.hw is None else (body << 48) | int(self.hw, 16)

    @property
    def proof_input(self) -> bytes:
        """The fields before the proof, in 19 bytes (a host's in 25)."""
        return self._body.to_bytes(19 if self.hw is None else 25, "big")

    @property
    def groups(self) -> tuple[str, ...]:
        """The ID as 12 (host 15) groups of six digits."""
        return encode_groups((self._body << _PROOF_BITS) | self.proof, self._group_count)

    @property
    def text(self) -> str:
        """The groups joined by dashes: the one text form for files, fields and JSON."""
        return "-".join(self.groups)


def parse_installation_id(text: str) -> InstallationId:
    """Read an installation ID as typed, pasted or sent; its proof is not checked yet.

    Raises:
        MusterError: `digits/symbol`, `digits/length`, `digits/group` (which one), `id/version`,
            `id/range`, `id/shape` (12 groups with a host key, or 15 with another), `key/kind`.
    Source: docs/spec/01-identities.md, section 1.10.
    """
    groups = parse_groups(text, {MACHINE_GROUPS, HOST_GROUPS})
    host = len(groups) == HOST_GROUPS
    bits = _HOST_BITS if host else _MACHINE_BITS
    value = _bounded("installation ID", decode_groups(groups), bits)
    version = value >> (bits - 3)
    if version != VERSION:
        raise error("id/version", what="installation ID", version=version)
    body, proof = value >> _PROOF_BITS, value & ((1 << _PROOF_BITS) - 1)
    hw = None
    if host:
        hw = f"{body & ((1 << 48) - 1):012x}"
        body >>= 48
    return InstallationId(
        version=version,
        trust_residue=(body >> 137) & 0xFF,
        key_id=KeyId.unpack((body >> 100) & ((1 << 37) - 1)),
        binding=f"{body & ((1 << 100) - 1):025x}",
        hw=hw,
        proof=proof,
    )


def proof_key(publisher: str, key_id: KeyId, tag_bytes: bytes) -> bytes:
    """The 32-byte key of proofs: scrypt of the tag, so that a spoken ID does not give the key away.

    The publisher computes it when it issues a key and keeps it beside the key.
    Source: docs/spec/01-identities.md, section 1.10.2.
    """
    if len(tag_bytes) != 7:
        raise ValueError("a tag has 7 bytes")
    name = check_publisher_id(publisher).encode("ascii")
    return scrypt(tag_bytes, b"muster-proof-v1" + name + key_id.packed)


def _proof(iid: InstallationId, key: bytes) -> int:
    return int.from_bytes(hmac.digest(key, iid.proof_input, hashlib.sha256)[:6], "big")


def make_installation_id(
    trust_version: int, key_id: KeyId, binding: str, hw: str | None, proof_key: bytes
) -> InstallationId:
    """Make the installation ID of a machine (`hw` None) or of a host.

    Args:
        trust_version: the version that the machine holds; only its last 8 bits are said.
        proof_key: what `proof_key()` made of the product key.
    Raises:
        MusterError: as `InstallationId`.
    """
    blank = InstallationId(VERSION, trust_version % 256, key_id, binding, hw, 0)
    return InstallationId(
        VERSION, blank.trust_residue, key_id, binding, hw, _proof(blank, proof_key)
    )


def check_proof(iid: InstallationId, proof_key: bytes) -> None:
    """Refuse an installation ID whose maker did not hold the product key (`id/proof`)."""
    wanted = _proof(iid, proof_key)
    if not hmac.compare_digest(wanted.to_bytes(6, "big"), iid.proof.to_bytes(6, "big")):
        raise error("id/proof", key=iid.key_id.text)


@dataclass(frozen=True, slots=True)
class ConfirmationId:
    """The publisher's answer in digits: what a machine needs to rebuild its signed grant.

    `key_index` 0 to 255, the grant key; `day` 0 to 65535 (0 = 2026-01-01); `term` 0 to 63 times
    30 days, 0 = no end; `signature` the 64 bytes of Ed25519. Raises `id/range`.
    Source: docs/spec/01-identities.md, section 1.11.
    """

    key_index: int
    day: int
    term: int
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.signature) != 64:
            raise error("id/range", field="signature")
        _bounded("key index", self.key_index, 8)
        _bounded("day", self.day, 16)
        _bounded("term", self.term, 6)
        _bounded("signature", int.from_bytes(self.signature[32:], "little"), _S_BITS)

    @property
    def groups(self) -> tuple[str, ...]:
        """The ID as 33 groups of six digits."""
        value = (VERSION << 8) | self.key_index
        value = (value << 16) | self.day
        value = (value << 6) | self.term
        value = (value << 256) | int.from_bytes(self.signature[:32], "big")
        value = (value << _S_BITS) | int.from_bytes(self.signature[32:], "little")
        return encode_groups(value, CONFIRMATION_GROUPS)

    @property
    def text(self) -> str:
        """The groups joined by dashes: the one text form for files, fields and JSON."""
        return "-".join(self.groups)


def parse_confirmation_id(text: str) -> ConfirmationId:
    """Read a confirmation ID; its signature is not checked yet.

    Raises:
        MusterError: `digits/symbol`, `digits/length`, `digits/group` (which one), `id/version`,
            `id/range`.
    Source: docs/spec/01-identities.md, section 1.11.
    """
    value = decode_groups(parse_groups(text, {CONFIRMATION_GROUPS}))
    _bounded("confirmation ID", value, _CONFIRMATION_BITS)
    version = value >> 539
    if version != VERSION:
        raise error("id/version", what="confirmation ID", version=version)
    r = (value >> _S_BITS) & ((1 << 256) - 1)
    s = value & ((1 << _S_BITS) - 1)
    return ConfirmationId(
        key_index=(value >> 531) & 0xFF,
        day=(value >> 515) & 0xFFFF,
        term=(value >> 509) & 0x3F,
        signature=r.to_bytes(32, "big") + s.to_bytes(32, "little"),
    )
