"""Product descriptors: what a publisher builds into its program, and the anchor of every check.

Decides whether a descriptor is whole. Refuses to know where it is: that it is a constant of the
program or a file that nobody else could write is checked by who loads it (`system.files`).
Obeys docs/spec/03-trust-and-catalogue.md, section 3.8.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.products import KeyGroup, Product
from muster.core.values import dataclass
from muster.lease import claims, strict
from muster.lease.catalogue import (
    group_from_claims,
    group_to_dict,
    product_from_claims,
    product_to_dict,
)
from muster.lease.claims import Claims
from muster.lease.strict import JSONObject
from muster.lease.trust import Trust, anchor

_WHAT = "descriptor"
_CODE = "descriptor/claims"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The pinned trust, one product, and every key group whose keys may license it.

    `url` is where the publisher's service listens, "" where that is not said; information only.
    """

    trust: Trust
    product: Product
    groups: tuple[KeyGroup, ...]
    url: str = ""

    @property
    def publisher(self) -> str:
        """The publisher id."""
        return self.trust.issuer

    def group(self, group: str) -> KeyGroup:
        """The key group of this id; raises `descriptor/group`."""
        for item in self.groups:
            if item.id == group:
                return item
        raise error("descriptor/group", product=self.product.id, group=group)

    def group_numbered(self, number: int) -> KeyGroup:
        """The key group of the number in a product key; raises `descriptor/group`."""
        for item in self.groups:
            if item.number == number:
                return item
        raise error("descriptor/group", product=self.product.id, group=f"number {number}")


def read_descriptor(data: bytes) -> Descriptor:
    """Read a descriptor and check that its trust object is whole.

    Raises:
        MusterError `licence/malformed`, `licence/version`, `descriptor/claims`, and the errors of
            `muster.lease.trust.anchor`.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.8.
    """
    value = Claims(strict.read(data, strict.DESCRIPTOR, _WHAT), _WHAT, _CODE)
    claims.version(value, _WHAT)
    trust = anchor(value.text("trust", grammar.COMPACT_JWS))
    product = product_from_claims(value.object("product"))
    groups = tuple(group_from_claims(item) for item in value.objects("groups", 1024))
    if len({item.id for item in groups}) != len(groups) or len(
        {item.number for item in groups}
    ) != len(groups):
        value.refuse("groups", "an id or number that appears twice")
    if product.group not in {item.id for item in groups}:
        value.refuse("groups", "without the product's own group")
    if not all(product.group in item.covers for item in groups):
        value.refuse("groups", "a group that does not cover the product's")
    url = value.text("url", grammar.SERVICE_URL) if value.has("url") else ""
    return Descriptor(trust, product, groups, url)


def make_descriptor(
    trust_text: str, product: Product, groups: Sequence[KeyGroup], url: str = ""
) -> bytes:
    """Write a descriptor.

    Args:
        trust_text: the trust object to pin; its own roots must have signed it.
        groups: the publisher's key groups; those that do not cover the product's are left out.
        url: where the publisher's service listens, "" to leave it out.
    Returns:
        Canonical JSON, read back before it is handed out.
    Raises:
        MusterError as `read_descriptor`.
    """
    value: JSONObject = {
        "v": 1,
        "trust": trust_text,
        "product": product_to_dict(product),
        "groups": [group_to_dict(item) for item in groups if product.group in item.covers],
    }
    data = strict.canonical({**value, "url": url} if url else value)
    read_descriptor(data)
    return data


def with_url(data: bytes, url: str) -> bytes:
    """The descriptor, saying where the publisher's service listens.

    Raises:
        MusterError as `read_descriptor`.
    """
    data = strict.canonical({**strict.read(data, strict.DESCRIPTOR, _WHAT), "url": url})
    read_descriptor(data)
    return data
