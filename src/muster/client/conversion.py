"""What an evaluation build becomes by a full key, as the publisher's catalogue allows it. Pure.

That a build is an evaluation is said by its product's channel. Once it is converted it is licensed,
and judged, as the product that it became, with its threshold, spans and features. Refuses to know
which keys are refused (`muster.client.onetime`, `check_conversion`) and what is stored. Obeys
docs/spec/10-licence-states.md, section 10.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.errors import MusterError
from muster.core.keys import KeyId, Kind, parse_product_key
from muster.core.products import Conversion, KeyGroup, Product
from muster.core.values import replace
from muster.lease import strict
from muster.lease.bundle import read_bundle
from muster.lease.catalogue import Catalogue
from muster.lease.descriptor import Descriptor
from muster.lease.jws import parse
from muster.lease.verify import VerifiedLicence

EVALUATION = "evaluation"
"""The channel of builds that end, and the kind of the licences that they have meanwhile."""


def targets(
    product: Product, catalogue: Catalogue | None, issued: int | None = None
) -> Sequence[Product]:
    """The products that a build may become; none where it is no evaluation.

    Args:
        issued: when a licence was issued that runs: what the build had become by then stays
            allowed, although the conversion was withdrawn since. None: what may be begun now.
    """
    if product.channel != EVALUATION or catalogue is None:
        return ()
    allowed = {
        rule.target
        for rule in catalogue.conversions
        if rule.source == product.id and _holds(rule, issued)
    }
    return [item for item in catalogue.products if item.id in allowed]


def _holds(rule: Conversion, issued: int | None) -> bool:
    if rule.rule == "allowed":
        return True
    return issued is not None and rule.until is not None and issued <= rule.until


def of_key(key: KeyId, groups: Sequence[KeyGroup], catalogue: Catalogue) -> Sequence[Product]:
    """The products that a key stands for: the one of a setup key; else those of the key's group,
    then those of the groups that it covers.

    Args:
        groups: of the descriptor, which may be newer than the catalogue.
    """
    if key.kind is Kind.SETUP:
        return [
            item
            for item in catalogue.products
            if item.setup_key and parse_product_key(item.setup_key).key_id == key
        ]
    group = next((item for item in (*catalogue.groups, *groups) if item.number == key.group), None)
    if group is None:
        return ()
    covered = [item for item in catalogue.products if item.group in group.covers]
    return sorted(covered, key=lambda item: item.group != group.id)


def by_key(
    product: Product,
    key: str,
    groups: Sequence[KeyGroup],
    catalogue: Catalogue | None,
    issued: int | None = None,
) -> Product:
    """What a build is asked for, and licensed as, with a key: itself, or what it becomes.

    Args:
        key: the id of the key, as text, or "".
        groups: of the descriptor.
        issued: as `targets`.
    """
    allowed = targets(product, catalogue, issued) if key else ()
    if not allowed:
        return product
    assert catalogue is not None
    key_id = KeyId.parse(key)
    if key_id.kind is Kind.EVALUATION:
        return product
    return next((item for item in of_key(key_id, groups, catalogue) if item in allowed), product)


def by_name(
    product: Product, name: str, catalogue: Catalogue | None, issued: int | None = None
) -> Product:
    """The product that a lease names, where a build may be that; else the build itself. `issued`
    as `targets`."""
    allowed = targets(product, catalogue, issued)
    return next((item for item in allowed if item.id == name), product)


def by_setup_key(product: Product, text: str, catalogue: Catalogue | None) -> Product | None:
    """The product of the catalogue that a setup key belongs to, where a build is an evaluation and
    the key is not its own."""
    if product.channel != EVALUATION or catalogue is None:
        return None
    return next((item for item in catalogue.products if item.setup_key == text), None)


def as_leased(descriptor: Descriptor, licence: str, catalogue: Catalogue | None) -> Descriptor:
    """The descriptor by which a stored lease is verified: an evaluation build that the catalogue
    lets become another product, or let when the lease was issued, is leased as that."""
    try:
        lease = parse(read_bundle(licence.encode("utf-8")).lease, strict.SMALL, "lease")
    except MusterError:
        return descriptor  # the steps say what is wrong with it
    _, _, name = str(lease.payload.get("aud")).partition("/")
    issued = lease.payload.get("iat")
    return as_named(descriptor, name, catalogue, issued if type(issued) is int else None)


def as_named(
    descriptor: Descriptor, name: str, catalogue: Catalogue | None, issued: int | None = None
) -> Descriptor:
    """The descriptor by which a lease or a notice for a product is verified: that of the build, or
    of what the build may be. `issued` as `targets`."""
    return replace(descriptor, product=by_name(descriptor.product, name, catalogue, issued))


def licensed_as(
    descriptor: Descriptor, licence: VerifiedLicence | None, catalogue: Catalogue | None
) -> Product:
    """What a build is while a licence runs: after a conversion what that product is, under the id
    and the channel of the build."""
    build = descriptor.product
    if licence is None or licence.kind == EVALUATION:
        return build
    if licence.kind == "lease":
        became = by_name(build, licence.product, catalogue, licence.issued)
    else:
        became = by_key(build, licence.key, descriptor.groups, catalogue, licence.issued)
    return build if became is build else replace(became, id=build.id, channel=build.channel)
