"""A small publisher, one host and one machine, all from fixed keys: the good case of every test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.lease.trees import tree

from muster.core.identity import host_binding, nonce_of, prefix_of, publisher_id
from muster.core.keys import KeyId, Kind, make_product_key
from muster.core.products import (
    DAY,
    Application,
    Conversion,
    KeyGroup,
    Periods,
    Product,
    Revocation,
    day_start,
)
from muster.lease import jws
from muster.lease.bundle import ActivationBundle, Bundle, NoticeBundle
from muster.lease.catalogue import Catalogue, CatalogueClaims, make_catalogue, read_catalogue
from muster.lease.descriptor import Descriptor, make_descriptor, read_descriptor
from muster.lease.grant import GrantValues, grant_payload, issue_grant, read_grant
from muster.lease.jws import MemorySigningKey
from muster.lease.lease import LeaseClaims, make_lease
from muster.lease.notice import DUPLICATE_CMID, NoticeClaims, make_notice
from muster.lease.steps import Expected
from muster.lease.terms import Ceiling, make_terms
from muster.lease.trust import Trust, TrustClaims, TrustKey, anchor, make_trust

DAY_NOW = 330
NOW = day_start(DAY_NOW) + 43_200
"""Noon of day 330: 2026-11-27."""
TERM_GROUP = 7


def key(name: str) -> MemorySigningKey:
    """The signing key of a name; the same in every run."""
    return MemorySigningKey(hashlib.sha256(f"test key {name}".encode()).digest())


@dataclass
class Maker:
    """Everything that a test varies, with good values."""

    working: MemorySigningKey = field(default_factory=lambda: key("working"))
    reserve: MemorySigningKey = field(default_factory=lambda: key("reserve"))
    catalogue_key: MemorySigningKey = field(default_factory=lambda: key("catalogue"))
    grant_key: MemorySigningKey = field(default_factory=lambda: key("grant"))
    host_key: MemorySigningKey = field(default_factory=lambda: key("host"))
    stranger: MemorySigningKey = field(default_factory=lambda: key("stranger"))
    server = KeyGroup(7, "contoso-server", ("contoso-desktop", "contoso-server"), 180 * DAY)
    desktop = KeyGroup(3, "contoso-desktop", ("contoso-desktop",), 180 * DAY)
    office = KeyGroup(9, "contoso-office", ("contoso-office",), 180 * DAY)
    host_key_id = KeyId(Kind.HOST, 7, 4711)
    mak_key_id = KeyId(Kind.MAK, 3, 815)
    cmid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
    nonce = nonce_of(b"n" * 16)
    fingerprint = ("d5566778899aabbcc", "nf0f0f0f0f0f0f0f0", "u00112233aabbccdd")
    binding = "0123456789abcdef012345678"

    def __post_init__(self) -> None:
        """Make the names that follow from the keys, and the good objects."""
        self.publisher = publisher_id(self.working.public.raw)
        setup = make_product_key(b"t" * 32, Kind.SETUP, prefix_of(self.publisher), 3, 1234)
        self.product = Product(
            id="contoso-desktop-7-pro",
            application="contoso-desktop",
            group="contoso-desktop",
            need=25,
            name="Contoso Desktop 7 Professional",
            edition="Professional",
            channel="volume",
            spans=Periods(),
            identity=("machine", "device", "node", "explicit"),
            features=("base", "vpn"),
            setup_key=setup.text,
        )
        self.groups = (self.server, self.desktop, self.office)
        self.trust_text = self.sign_trust()
        self.trust: Trust = anchor(self.trust_text)
        self.descriptor: Descriptor = read_descriptor(
            make_descriptor(self.trust_text, self.product, self.groups)
        )

    @property
    def roots(self) -> tuple[jws.PublicKey, jws.PublicKey]:
        """The working and the reserve root."""
        return (self.working.public, self.reserve.public)

    @property
    def keys(self) -> tuple[TrustKey, ...]:
        """The working keys in use."""
        return (
            TrustKey(self.catalogue_key.public, "catalogue"),
            TrustKey(self.grant_key.public, "grant", index=0),
        )

    def sign_trust(self, signer: MemorySigningKey | None = None, **change: Any) -> str:
        """A trust object, version 1 unless told, signed by the working root unless told."""
        values: dict[str, Any] = {
            "issuer": self.publisher,
            "label": "contoso",
            "name": "Contoso Ltd",
            "version": 1,
            "iat": day_start(0),
            "roots": self.roots,
            "keys": self.keys,
        } | change
        return make_trust(TrustClaims(**values), signer or self.working)

    def sign_catalogue(self, signer: MemorySigningKey | None = None, **change: Any) -> str:
        """A catalogue, version 1 unless told."""
        values: dict[str, Any] = {
            "trust": self.trust,
            "version": 1,
            "iat": NOW - DAY,
            "groups": self.groups,
            "applications": (Application("contoso-desktop", "Contoso desktops"),),
            "products": (self.product,),
            "conversions": (Conversion(self.product.id, self.product.id, "allowed", ""),),
        } | change
        trust = values.pop("trust")
        return make_catalogue(CatalogueClaims(**values), trust, signer or self.catalogue_key)

    def catalogue(self, *revocations: Revocation) -> Catalogue:
        """A verified catalogue with these revocations."""
        return read_catalogue(self.sign_catalogue(revocations=revocations), self.trust)

    def host_grant(self, **change: Any) -> str:
        """The grant of the host."""
        values: dict[str, Any] = {
            "publisher": self.publisher,
            "key_id": self.host_key_id,
            "binding": host_binding(self.publisher, self.host_key_id, self.host_key.public.raw),
            "hw": "0123456789ab",
            "term": 0,
            "day": DAY_NOW - 30,
            "group": self.server,
            "key": self.grant_key,
        } | change
        key = values.pop("key")
        return issue_grant(GrantValues(**values), key)

    def mak_grant(self, **change: Any) -> str:
        """The activation grant of the machine."""
        values: dict[str, Any] = {
            "publisher": self.publisher,
            "key_id": self.mak_key_id,
            "binding": self.binding,
            "hw": None,
            "term": 0,
            "day": DAY_NOW - 3,
            "group": self.desktop,
            "key": self.grant_key,
        } | change
        key = values.pop("key")
        return issue_grant(GrantValues(**values), key)

    def grant_payload(self) -> dict[str, Any]:
        """The payload of the host's grant, for tests that spoil it."""
        binding = host_binding(self.publisher, self.host_key_id, self.host_key.public.raw)
        values = GrantValues(
            self.publisher,
            self.host_key_id,
            binding,
            "0123456789ab",
            0,
            DAY_NOW - 30,
            self.server,
        )
        return tree(grant_payload(values))

    def sign_terms(self, signer: MemorySigningKey | None = None, **change: Any) -> str:
        """Terms for the host's grant."""
        values: dict[str, Any] = {
            "grant": read_grant(self.host_grant(), self.trust, self.publisher),
            "version": 1,
            "iat": NOW - DAY,
            "limit": 100,
            "over": "refuse",
            "customer": "Fabrikam Inc",
            "agreement": "F-2026-17",
        } | change
        grant, version, iat = (values.pop(name) for name in ("grant", "version", "iat"))
        return make_terms(grant, Ceiling(**values), version, iat, signer or self.grant_key)

    def lease_claims(self, **change: Any) -> LeaseClaims:
        """The good lease of the machine."""
        claims = LeaseClaims(
            cmid=self.cmid,
            publisher=self.publisher,
            product=self.product.id,
            iat=NOW,
            exp=NOW + 180 * DAY,
            jti="AAAAAAAAAAAAAAAAAAAAAA",
            group="contoso-desktop",
            identity="machine",
            nonce=self.nonce,
            renew_after=7 * DAY,
            retry_after=7200,
            count=25,
            need=25,
            fingerprint=self.fingerprint,
            catalogue=1,
            trust=1,
        )
        return replace(claims, **change)

    def bundle(self, **change: Any) -> bytes:
        """The licence bundle; arguments change the lease's claims."""
        text = make_lease(self.lease_claims(**change), self.host_key)
        return Bundle(text, self.host_grant(), self.host_key.public).encode()

    def notice(self, **change: Any) -> bytes:
        """The notice bundle; arguments change the notice's claims."""
        claims = NoticeClaims(
            cmid=self.cmid,
            publisher=self.publisher,
            product=self.product.id,
            iat=NOW,
            jti="AAAAAAAAAAAAAAAAAAAAAA",
            code=DUPLICATE_CMID,
            nonce=self.nonce,
        )
        text = make_notice(replace(claims, **change), self.host_key)
        return NoticeBundle(text, self.host_grant(), self.host_key.public).encode()

    def activation(self, **change: Any) -> bytes:
        """The activation bundle; arguments change the grant's values."""
        return ActivationBundle(self.mak_grant(**change)).encode()

    def expected(self, **change: Any) -> Expected:
        """What the machine knows of itself."""
        expected = Expected(
            descriptor=self.descriptor,
            trust=self.trust,
            now=NOW + 60,
            cmid=self.cmid,
            identity="machine",
            nonce=self.nonce,
            fingerprint=self.fingerprint,
            binding=self.binding,
        )
        return replace(expected, **change)


@pytest.fixture(scope="session")
def maker() -> Maker:
    """The good case; tests that change it make their own `Maker`."""
    return Maker()


@pytest.fixture(scope="session")
def keys() -> Callable[[str], MemorySigningKey]:
    """Signing keys by name; the same in every run."""
    return key
