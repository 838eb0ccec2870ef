"""Catalogues: what a publisher's products are and which grants are revoked.

Decides whether a catalogue is the publisher's, and what it says. Refuses to know who asks.
Obeys docs/spec/03-trust-and-catalogue.md, sections 3.5 to 3.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import IDENTITY_MODES
from muster.core.keys import Kind, ProductKey, parse_product_key
from muster.core.products import (
    Application,
    Conversion,
    KeyGroup,
    Periods,
    Product,
    Revocation,
    day_of,
)
from muster.core.values import dataclass, field
from muster.lease import claims, strict
from muster.lease.claims import Claims
from muster.lease.jws import CATALOGUE_TYP, SigningKey, check_header, parse, sign
from muster.lease.strict import JSONObject
from muster.lease.trust import CATALOGUE_ROLE, MAX_DAY, Trust

CHANNELS = ("volume", "evaluation", "retail")
RULES = ("allowed", "unsupported", "refused")
TERMS = ("required", "none")
MAX_SPAN = 2**31 - 1
"""The longest span, in seconds."""
MAX_COVERS = strict.SMALL.items
"""Key groups that one grant may cover: an array of a grant holds no more."""

_WHAT = "catalogue"
_CODE = "catalogue/claims"
_MANY = strict.CATALOGUE.items


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A verified catalogue. `kid` signed it; `text` is the compact JWS; `iat` Unix seconds;
    `setup_ids` the key ids of its products' setup keys, by their texts."""

    issuer: str
    iat: int
    version: int
    groups: tuple[KeyGroup, ...]
    applications: tuple[Application, ...]
    products: tuple[Product, ...]
    conversions: tuple[Conversion, ...]
    revocations: tuple[Revocation, ...]
    kid: str
    text: str
    setup_ids: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    _products: dict[str, Product] = field(init=False, repr=False, compare=False)
    _groups: dict[str, KeyGroup] = field(init=False, repr=False, compare=False)
    _numbers: dict[int, KeyGroup] = field(init=False, repr=False, compare=False)
    _revoked: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index what is asked for by name."""
        object.__setattr__(self, "_products", {item.id: item for item in self.products})
        object.__setattr__(self, "_groups", {item.id: item for item in self.groups})
        object.__setattr__(self, "_numbers", {item.number: item for item in self.groups})
        revoked: dict[str, int] = {}
        for entry in self.revocations:
            name = _revocation_name(entry)
            revoked[name] = min(entry.at, revoked.get(name, entry.at))
        object.__setattr__(self, "_revoked", revoked)

    def product(self, product: str) -> Product:
        """The product of this id; raises `catalogue/product`."""
        if product not in self._products:
            raise error("catalogue/product", product=product)
        return self._products[product]

    def group(self, group: str) -> KeyGroup:
        """The key group of this id; raises `catalogue/group`."""
        if group not in self._groups:
            raise error("catalogue/group", group=group)
        return self._groups[group]

    def group_numbered(self, number: int) -> KeyGroup:
        """The key group of the number in a product key; raises `catalogue/group`."""
        if number not in self._numbers:
            raise error("catalogue/group", group=f"number {number}")
        return self._numbers[number]

    def revoked(self, jti: str, key: str) -> int | None:
        """The day since which a grant is revoked, by its `jti` or its key's id text, or None."""
        days = [
            self._revoked[name] for name in (f"jti/{jti}", f"key/{key}") if name in self._revoked
        ]
        return min(days, default=None)

    def product_revoked(self, product: Product) -> int | None:
        """The day since which a product is revoked: by the id of its setup key; or None.

        Args:
            product: of the caller's own descriptor, or of this catalogue where a host judges.
        Source: docs/spec/03-trust-and-catalogue.md, section 3.7.
        """
        if not product.setup_key:
            return None
        named = self.setup_ids.get(product.setup_key)
        # A descriptor may name a setup key that this catalogue does not.
        key = named or parse_product_key(product.setup_key).key_id.text
        return self._revoked.get(f"key/{key}")


def read_catalogue(text: str, trust: Trust) -> Catalogue:
    """Read and verify a catalogue.

    Args:
        text: compact JWS, from anywhere.
        trust: the publisher's, reached from the caller's own anchor.
    Raises:
        MusterError `licence/malformed`, `licence/header`; `catalogue/signer` (not signed by a
            catalogue key of this trust on that day); `licence/version`, `catalogue/claims`;
            `catalogue/publisher`.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.6.
    """
    compact = parse(text, strict.CATALOGUE, _WHAT)
    kid = check_header(compact, CATALOGUE_TYP, _WHAT)
    payload = Claims(compact.payload, _WHAT, _CODE)
    try:
        day = day_of(payload.integer("iat"))
        trust.find(kid, CATALOGUE_ROLE, day).key.verify(compact.signature, compact.signing_input)
    except MusterError as fault:
        raise error("catalogue/signer", detail=_sentence(fault)) from None
    muster = payload.object("muster")
    claims.version(muster, _WHAT)
    issuer = payload.text("iss", grammar.PUBLISHER_ID)
    if issuer != trust.issuer:
        raise error("catalogue/publisher", issuer=issuer, publisher=trust.issuer)
    return _read(payload, muster, kid, text)


def accept_catalogue(held: Catalogue | None, text: str, trust: Trust) -> Catalogue:
    """Take a catalogue if it is newer than the one held; what clients and hosts do with offers.

    Args:
        held: the highest one so far, or None. It counts only while `still_valid`.
    Returns:
        The new catalogue, or `held` itself when `text` is exactly it.
    Raises:
        MusterError as `read_catalogue`, and `catalogue/older`.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.7.
    """
    if held is not None and not still_valid(held, trust):
        held = None
    if held is not None and text == held.text:
        return held
    offered = read_catalogue(text, trust)
    if held is not None and offered.version <= held.version:
        raise error("catalogue/older", offered=offered.version, held=held.version)
    return offered


def still_valid(catalogue: Catalogue, trust: Trust) -> bool:
    """Whether trust still stands behind a catalogue that was read under an older trust.

    A store asks this after each step of trust. When the key was withdrawn, catalogue *and*
    version mark are forgotten: else a thief's catalogue with version 2^53-1 would bar every
    later one for ever.

    Source: docs/spec/03-trust-and-catalogue.md, section 3.7.
    """
    if catalogue.issuer != trust.issuer:
        return False
    try:
        trust.find(catalogue.kid, CATALOGUE_ROLE, day_of(catalogue.iat))
    except MusterError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class CatalogueClaims:
    """What a catalogue says, before it is signed: `version` above every earlier one, `iat` Unix
    seconds."""

    version: int
    iat: int
    groups: Sequence[KeyGroup]
    applications: Sequence[Application]
    products: Sequence[Product]
    conversions: Sequence[Conversion] = ()
    revocations: Sequence[Revocation] = ()


def make_catalogue(content: CatalogueClaims, trust: Trust, key: SigningKey) -> str:
    """Sign a catalogue with the publisher's catalogue key.

    Args:
        content: what it says.
        trust: the publisher's newest; the catalogue is read back under it before it is handed
            out, so that no reader can meet what a reader would refuse.
    Raises:
        MusterError as `read_catalogue`.
    """
    payload: JSONObject = {
        "iss": trust.issuer,
        "iat": content.iat,
        "muster": {
            "v": 1,
            "version": content.version,
            "groups": [group_to_dict(item) for item in content.groups],
            "applications": [{"id": item.id, "name": item.name} for item in content.applications],
            "products": [product_to_dict(item) for item in content.products],
            "conversions": [conversion_to_dict(item) for item in content.conversions],
            "revocations": [revocation_to_dict(item) for item in content.revocations],
        },
    }
    text = sign(payload, CATALOGUE_TYP, key)
    read_catalogue(text, trust)
    return text


def group_to_dict(group: KeyGroup) -> JSONObject:
    """A key group record as catalogue and descriptor write it."""
    return {
        "number": group.number,
        "id": group.id,
        "covers": list(group.covers),
        "max_lease": group.max_lease,
        "terms": group.terms,
    }


def group_from_claims(item: Claims) -> KeyGroup:
    """Read a key group record; raises the reader's error."""
    group = KeyGroup(
        number=item.integer("number", 0, 1023),
        id=item.text("id", grammar.NAME),
        covers=item.texts("covers", grammar.NAME, MAX_COVERS, ordered=True),
        max_lease=item.integer("max_lease", 1, MAX_SPAN),
        terms=item.choice("terms", TERMS),
    )
    if group.id not in group.covers:
        item.refuse("covers", "without the group itself")
    return group


def group_from_dict(value: Any, where: str = "group", code: str = _CODE) -> KeyGroup:
    """Read a key group record out of decoded JSON; raises `code` (where, detail)."""
    return group_from_claims(Claims(value, where, code))


def product_to_dict(product: Product) -> JSONObject:
    """A product as catalogue and descriptor write it."""
    spans = product.spans
    return {
        "id": product.id,
        "application": product.application,
        "group": product.group,
        "need": product.need,
        "name": product.name,
        "edition": product.edition,
        "channel": product.channel,
        "spans": {
            "lease": spans.lease,
            "renew_after": spans.renew_after,
            "retry_after": spans.retry_after,
            "initial_grace": spans.initial_grace,
            "tolerance_grace": spans.tolerance_grace,
        },
        "identity": list(product.identity),
        "features": list(product.features),
        "setup_key": product.setup_key,
    }


def product_from_claims(item: Claims) -> Product:
    """Read a product; raises the reader's error."""
    return _product(item)[0]


def _product(item: Claims) -> tuple[Product, ProductKey | None]:
    """A product and its setup key, as it was read."""
    spans = item.object("spans")
    modes = item.texts("identity", grammar.NAME, len(IDENTITY_MODES))
    if not modes or not set(modes) <= set(IDENTITY_MODES):
        item.refuse("identity", f"not some of {', '.join(IDENTITY_MODES)}")
    product = Product(
        id=item.text("id", grammar.NAME),
        application=item.text("application", grammar.NAME),
        group=item.text("group", grammar.NAME),
        need=item.integer("need", 1, MAX_SPAN),
        name=item.text("name", grammar.DISPLAY_NAME),
        edition=item.text("edition", grammar.DISPLAY_NAME_OR_EMPTY),
        channel=item.choice("channel", CHANNELS),
        spans=Periods(
            lease=spans.integer("lease", 1, MAX_SPAN),
            renew_after=spans.integer("renew_after", 1, MAX_SPAN),
            retry_after=spans.integer("retry_after", 1, MAX_SPAN),
            initial_grace=spans.integer("initial_grace", 0, MAX_SPAN),
            tolerance_grace=spans.integer("tolerance_grace", 0, MAX_SPAN),
        ),
        identity=modes,
        features=item.texts("features", grammar.NAME, 256),
        setup_key="" if (key := _setup_key(item)) is None else key.text,
    )
    return product, key


def product_from_dict(value: Any, where: str = "product", code: str = _CODE) -> Product:
    """Read a product out of decoded JSON; raises `code` (where, detail)."""
    return product_from_claims(Claims(value, where, code))


def conversion_to_dict(conversion: Conversion) -> JSONObject:
    """A conversion rule as the catalogue writes it."""
    written: JSONObject = {
        "source": conversion.source,
        "target": conversion.target,
        "rule": conversion.rule,
        "way": conversion.way,
    }
    return written if conversion.until is None else {**written, "until": conversion.until}


def revocation_to_dict(entry: Revocation) -> JSONObject:
    """A revocation as the catalogue writes it."""
    if entry.jti is not None:
        return {"jti": entry.jti, "at": entry.at}
    return {"key": entry.key, "at": entry.at}


def _setup_key(item: Claims) -> ProductKey | None:
    """The product's setup key, in its printed form; None for a product without hosts."""
    text = item.text("setup_key", grammar.DISPLAY_NAME_OR_EMPTY)
    if not text:
        return None
    try:
        key = parse_product_key(text)
    except MusterError:
        item.refuse("setup_key", "not a product key")
    if key.kind is not Kind.SETUP or key.text != text:
        item.refuse("setup_key", "not a setup key in its printed form")
    return key


def _conversion(item: Claims) -> Conversion:
    return Conversion(
        source=item.text("source", grammar.NAME),
        target=item.text("target", grammar.NAME),
        rule=item.choice("rule", RULES),
        way=item.text("way", grammar.DISPLAY_NAME_OR_EMPTY),
        until=item.optional_integer("until"),
    )


def _revocation(item: Claims) -> Revocation:
    at = item.integer("at", 0, MAX_DAY)
    if item.has("jti"):
        item.absent("key")
        return Revocation(jti=item.text("jti", grammar.BASE64URL_16), key=None, at=at)
    return Revocation(jti=None, key=claims.key_id(item).text, at=at)


def _revocation_name(entry: Revocation) -> str:
    return f"jti/{entry.jti}" if entry.jti is not None else f"key/{entry.key}"


def _read(payload: Claims, muster: Claims, kid: str, text: str) -> Catalogue:
    groups = tuple(group_from_claims(item) for item in muster.objects("groups", 1024))
    _distinct(muster, "groups", [item.id for item in groups])
    _distinct(muster, "groups", [item.number for item in groups])
    applications = tuple(
        Application(item.text("id", grammar.NAME), item.text("name", grammar.DISPLAY_NAME))
        for item in muster.objects("applications", _MANY)
    )
    _distinct(muster, "applications", [item.id for item in applications])
    read = [_product(item) for item in muster.objects("products", _MANY)]
    products = tuple(product for product, _ in read)
    setup_ids = [(key.text, key.key_id.text) for _, key in read if key is not None]
    _distinct(muster, "products", [item.id for item in products])
    _distinct(muster, "products", [name for _, name in setup_ids])
    known_groups = {item.id for item in groups}
    known_applications = {item.id for item in applications}
    for index, product in enumerate(products):
        if product.group not in known_groups or product.application not in known_applications:
            muster.refuse(f"products[{index}]", "its group or application is not listed")
    return Catalogue(
        issuer=payload.text("iss", grammar.PUBLISHER_ID),
        iat=payload.integer("iat"),
        version=muster.integer("version", 1),
        groups=groups,
        applications=applications,
        products=products,
        conversions=tuple(_conversion(item) for item in muster.objects("conversions", _MANY)),
        revocations=tuple(_revocation(item) for item in muster.objects("revocations", _MANY)),
        kid=kid,
        text=text,
        setup_ids=dict(setup_ids),
    )


def _distinct(muster: Claims, name: str, values: Sequence[object]) -> None:
    if len(set(values)) != len(values):
        muster.refuse(name, "an id, number or setup key that appears twice")


def _sentence(fault: MusterError) -> str:
    return fault.what.rstrip(".")
