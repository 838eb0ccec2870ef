"""An attacker's bench: two publishers, two hosts, one machine, and every private key at hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.lease.trees import tree

from muster.core.errors import MusterError
from muster.core.identity import host_binding, nonce_of
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, Product, day_of, day_start
from muster.lease import jws, strict
from muster.lease.bundle import ActivationBundle, Bundle, NoticeBundle
from muster.lease.descriptor import make_descriptor, read_descriptor
from muster.lease.grant import GrantValues, issue_grant
from muster.lease.jws import MemorySigningKey
from muster.lease.steps import Expected
from muster.testing.tiny_publisher import GROUPS, TinyPublisher, test_key

NOW = day_start(330) + 43_200
"""Noon of day 330: 2026-11-27."""
MOST = 2**53 - 1
FINGERPRINT = ("d5566778899aabbcc", "nf0f0f0f0f0f0f0f0", "u00112233aabbccdd")
CMID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
NONCE = nonce_of(b"n" * 16)
BINDING = "0123456789abcdef012345678"
HOST_KEY = KeyId(Kind.HOST, 2, 4711)
MAK_KEY = KeyId(Kind.MAK, 1, 815)
Tree = dict[str, Any]


def refusal(attack: Callable[[], object]) -> str:
    """The code with which an attack was refused, or "" when it went through.

    Anything but a refusal of the catalogue goes on to the test and fails it.
    """
    try:
        attack()
    except MusterError as fault:
        assert fault.what
        assert fault.why
        assert fault.fix
        return fault.code
    return ""


def changed(value: Tree, path: tuple[str, ...], new: object) -> Tree:
    """A copy of a payload with one member set; `KeyError` leaves it out."""
    tree = copy.deepcopy(value)
    inner: Any = tree
    for name in path[:-1]:
        inner = inner[name]
    if new is KeyError:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return tree


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every member and item of a payload."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        found.append((*before, name))
        if isinstance(inner, dict | list):
            found += paths(inner, (*before, name))
    return found


@dataclass
class Scene:
    """Good objects of one publisher, one host and one machine; attackers change them."""

    publisher: TinyPublisher = field(default_factory=lambda: TinyPublisher("contoso", now=NOW))
    host: MemorySigningKey = field(default_factory=lambda: test_key("attack", "host"))
    stranger: MemorySigningKey = field(default_factory=lambda: test_key("attack", "stranger"))

    @property
    def id(self) -> str:
        """The publisher id."""
        return self.publisher.publisher

    def product(self, product: str = "desktop-pro") -> Product:
        """A product of the catalogue."""
        return self.publisher.catalogue.product(product)

    def grant(self, **change: Any) -> str:
        """A host grant of the group `server`, which covers desktops."""
        key_id = change.get("key_id", HOST_KEY)
        values: Tree = {
            "publisher": self.id,
            "key_id": key_id,
            "binding": host_binding(self.id, key_id, self.host.public.raw),
            "hw": "0123456789ab",
            "term": 0,
            "day": day_of(NOW) - 30,
            "group": GROUPS[1],
            "key": self.publisher.grant_key,
        }
        values |= change
        key = values.pop("key")
        return issue_grant(GrantValues(**values), key)

    def activation_grant(self, **change: Any) -> str:
        """A MAK grant of the machine."""
        values: Tree = {
            "publisher": self.id,
            "key_id": MAK_KEY,
            "binding": BINDING,
            "hw": None,
            "term": 0,
            "day": day_of(NOW) - 3,
            "group": GROUPS[0],
            "key": self.publisher.grant_key,
        }
        values |= change
        key = values.pop("key")
        return issue_grant(GrantValues(**values), key)

    def lease_payload(self, product: str = "desktop-pro") -> Tree:
        """The payload of the machine's good lease."""
        return {
            "aud": f"{self.id}/{product}",
            "exp": NOW + 180 * DAY,
            "iat": NOW,
            "iss": self.host.public.kid,
            "jti": "A" * 22,
            "muster": {
                "v": 1,
                "group": self.product(product).group,
                "identity": "machine",
                "nonce": NONCE,
                "renew_after": 7 * DAY,
                "retry_after": 7200,
                "count": 25,
                "need": 25,
                "fingerprint": list(FINGERPRINT),
                "catalogue": 1,
                "trust": 1,
            },
            "nbf": NOW,
            "sub": CMID,
        }

    def notice_payload(self) -> Tree:
        """The payload of a good notice."""
        return {
            "aud": f"{self.id}/desktop-pro",
            "iat": NOW,
            "iss": self.host.public.kid,
            "jti": "A" * 22,
            "muster": {"v": 1, "code": "host/duplicate-cmid", "nonce": NONCE},
            "sub": CMID,
        }

    def bundle(self, payload: Tree | None = None, grant: str | None = None) -> bytes:
        """The licence bundle of whatever lease the host signs."""
        text = jws.sign(payload or self.lease_payload(), jws.LEASE_TYP, self.host)
        return Bundle(text, grant or self.grant(), self.host.public).encode()

    def notice(self, payload: Tree | None = None, grant: str | None = None) -> bytes:
        """The notice bundle of whatever notice the host signs."""
        text = jws.sign(payload or self.notice_payload(), jws.NOTICE_TYP, self.host)
        return NoticeBundle(text, grant or self.grant(), self.host.public).encode()

    def activation(self, grant: str | None = None) -> bytes:
        """The activation bundle of a grant."""
        return ActivationBundle(grant or self.activation_grant()).encode()

    def expected(self, product: str = "desktop-pro", **change: Any) -> Expected:
        """What the machine knows of itself and of the product."""
        expected = Expected(
            descriptor=read_descriptor(self.publisher.descriptor(product)),
            trust=self.publisher.trust,
            now=NOW + 60,
            cmid=CMID,
            identity="machine",
            nonce=NONCE,
            fingerprint=FINGERPRINT,
            binding=BINDING,
        )
        return replace(expected, **change)

    def expected_of(self, product: Product, **change: Any) -> Expected:
        """The same for a product that stands in no catalogue."""
        trust = self.publisher.line[0].text
        groups = [one for one in GROUPS if product.group in one.covers]
        found = read_descriptor(make_descriptor(trust, product, groups))
        return self.expected(descriptor=found, **change)


def payload(text: str) -> Tree:
    """The payload of a compact JWS, to be spoilt."""
    return tree(jws.parse(text, strict.CATALOGUE).payload)


@pytest.fixture(scope="session")
def scene() -> Scene:
    """The good case; attacks change copies of its objects only."""
    return Scene()
