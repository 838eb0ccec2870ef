"""Trust objects: which keys speak for a publisher, and how a client follows their rotation.

Decides whether one trust object may follow another and which working key may have signed what on
which day. Refuses to know where trust objects come from: a store, a host and the publisher are
all the same to it. Obeys docs/spec/03-trust-and-catalogue.md, sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import publisher_id
from muster.core.values import dataclass
from muster.lease import claims, strict
from muster.lease.claims import Claims
from muster.lease.jws import TRUST_TYP, Compact, PublicKey, SigningKey, check_header, parse, sign
from muster.lease.strict import JSONObject, JSONValue

CATALOGUE_ROLE = "catalogue"
GRANT_ROLE = "grant"
MAX_DAY = 65_535
"""The last day number that fits the 16 bits of a confirmation ID."""
MAX_INDEX = 255
"""The last index that fits the 8 bits of a confirmation ID."""
WALK_LIMIT = 64
"""Versions that a client follows in one contact."""

_WHAT = "trust"
_CODE = "trust/claims"


@dataclass(frozen=True, slots=True)
class TrustKey:
    """A working key.

    `role` is "catalogue", "grant" or a role of a later program; `index` 0 to 255 for grant keys,
    else None; `until` the last day whose signatures are good, None while the key is in use.
    """

    key: PublicKey
    role: str
    index: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust object as read.

    `issuer` the publisher id; `iat` Unix seconds; `version` from 1; `roots` the working and the
    reserve root; `text` the compact JWS.
    """

    issuer: str
    iat: int
    version: int
    label: str
    name: str
    roots: tuple[PublicKey, PublicKey]
    keys: tuple[TrustKey, ...]
    text: str

    def find(self, kid: str, role: str, day: int) -> TrustKey:
        """The working key of this kid and role, if it might sign on that day.

        Args:
            kid: thumbprint out of a header.
            role: "catalogue" or "grant".
            day: day number of the signed object's `iat`; may be negative.
        Raises:
            MusterError `trust/key`: no such key (never there, or withdrawn); `trust/retired`:
                the day is after the key's `until`.
        Source: docs/spec/03-trust-and-catalogue.md, section 3.2.
        """
        for entry in self.keys:
            if entry.key.kid == kid and entry.role == role:
                if entry.until is not None and day > entry.until:
                    raise error("trust/retired", role=role, key=kid, until=entry.until, day=day)
                return entry
        raise error("trust/key", trust=self.version, role=role, key=kid)

    def grant_key(self, index: int) -> TrustKey:
        """The grant key of an index, in use or retired; raises `trust/key`."""
        for entry in self.keys:
            if entry.role == GRANT_ROLE and entry.index == index:
                return entry
        raise error("trust/key", trust=self.version, role=GRANT_ROLE, key=f"number {index}")


def parse_trust(text: str) -> Trust:
    """Read a trust object by its shape alone: nobody's signature is checked.

    Raises:
        MusterError `licence/malformed`, `licence/header`, `licence/version`, `trust/claims`.
    """
    compact = parse(text, strict.TRUST, _WHAT)
    check_header(compact, TRUST_TYP, _WHAT)
    return _read(compact)


def anchor(text: str) -> Trust:
    """Read the trust object that a descriptor pins: where every walk starts.

    Version 1 must be signed by its own working root, which also gives the publisher id its
    value; a higher version by one of its own roots. This proves that the object is whole, not
    that it is right: that it is the caller's own is what makes it the anchor.

    Raises:
        MusterError as `parse_trust`, and `trust/root`, `trust/signature`, `trust/publisher`.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.1.
    """
    compact = parse(text, strict.TRUST, _WHAT)
    kid = check_header(compact, TRUST_TYP, _WHAT)
    trust = _read(compact)
    allowed = trust.roots[:1] if trust.version == 1 else trust.roots
    _check_signature(compact, kid, allowed)
    if trust.version == 1 and publisher_id(trust.roots[0].raw) != trust.issuer:
        raise error("trust/publisher", detail="its id is not that of its first root")
    return trust


def follow(current: Trust, text: str) -> Trust:
    """Take one step up.

    Args:
        current: the version held, reached from the caller's own anchor.
        text: a higher version, from anywhere.
    Returns:
        The higher version.
    Raises:
        MusterError `licence/malformed`, `licence/header`; `trust/root` (not signed by a root
            held), `trust/signature`; `licence/version`, `trust/claims`; `trust/publisher` (id or
            label differ); `trust/step` (the version does not follow), `trust/roots` (the working
            root changes the roots).
    Source: docs/spec/03-trust-and-catalogue.md, section 3.3.
    """
    compact = parse(text, strict.TRUST, _WHAT)
    kid = check_header(compact, TRUST_TYP, _WHAT)
    signer = _check_signature(compact, kid, current.roots)
    trust = _read(compact)
    if trust.issuer != current.issuer:
        raise error("trust/publisher", detail=f"{trust.issuer} is not {current.issuer}")
    if trust.label != current.label:
        raise error("trust/publisher", detail=f"label {trust.label} is not {current.label}")
    working = signer == current.roots[0]
    follows = trust.version == current.version + 1 if working else trust.version > current.version
    if not follows:
        raise error(
            "trust/step",
            offered=trust.version,
            held=current.version,
            root="working" if working else "reserve",
        )
    if working and trust.roots != current.roots:
        raise error("trust/roots", offered=trust.version)
    return trust


def walk(current: Trust, texts: Iterable[str], limit: int = WALK_LIMIT) -> Trust:
    """Follow a line of trust objects, lowest version first; stop after `limit` steps.

    Texts that are the version held are passed over, so that a line may start at it.

    Raises:
        MusterError as `follow`, at the first that does not follow.
    """
    steps = 0
    for text in texts:
        if steps == limit:
            break
        if text == current.text:
            continue
        current = follow(current, text)
        steps += 1
    return current


def walk_store(current: Trust, texts: Iterable[str]) -> Trust:
    """Walk up what a store holds, lowest first; what does not follow is passed over.

    A store is a cache, never an authority: a text that was damaged or put there by somebody else
    must not stop the ones after it.

    Source: docs/spec/03-trust-and-catalogue.md, section 3.4.
    """
    for text in texts:
        try:
            current = follow(current, text)
        except MusterError:
            continue
    return current


@dataclass(frozen=True, slots=True)
class TrustClaims:
    """What a trust object says, before it is signed.

    `issuer` is `publisher_id` of the first root ever; `version` from 1, see `follow` for what each
    root may sign; `iat` Unix seconds; `roots` the working root and the reserve root.
    """

    issuer: str
    label: str
    name: str
    version: int
    iat: int
    roots: tuple[PublicKey, PublicKey]
    keys: Sequence[TrustKey]


def make_trust(content: TrustClaims, signer: SigningKey) -> str:
    """Sign a trust object with one of the publisher's roots.

    Args:
        content: what it says.
        signer: the working root, or the reserve root (before a change of roots: the old one).
    Returns:
        The compact JWS, read back by `parse_trust` before it is handed out.
    Raises:
        MusterError `trust/claims`, `licence/malformed`: the object would break a rule that every
            reader checks, or is larger than readers take.
    """
    payload: JSONObject = {
        "iss": content.issuer,
        "iat": content.iat,
        "muster": {
            "v": 1,
            "version": content.version,
            "label": content.label,
            "name": content.name,
            "roots": [root.jwk for root in content.roots],
            "keys": [_key_to_dict(entry) for entry in content.keys],
        },
    }
    text = sign(payload, TRUST_TYP, signer)
    parse_trust(text)
    return text


def _key_to_dict(entry: TrustKey) -> JSONObject:
    value: dict[str, JSONValue] = {"jwk": entry.key.jwk, "role": entry.role}
    if entry.index is not None:
        value["index"] = entry.index
    if entry.until is not None:
        value["until"] = entry.until
    return value


def _check_signature(compact: Compact, kid: str, allowed: Sequence[PublicKey]) -> PublicKey:
    for root in allowed:
        if root.kid == kid:
            try:
                root.verify(compact.signature, compact.signing_input)
            except MusterError:
                raise error("trust/signature") from None
            return root
    raise error("trust/root", kid=kid)


def _read(compact: Compact) -> Trust:
    """Read the claims and check the laws that hold inside one version."""
    payload = Claims(compact.payload, _WHAT, _CODE)
    muster = payload.object("muster")
    claims.version(muster, _WHAT)
    roots = tuple(_jwk(item) for item in muster.objects("roots", 2))
    if len(roots) != 2:
        muster.refuse("roots", "not a working and a reserve root")
    keys = tuple(_key(item) for item in muster.objects("keys", strict.TRUST.items))
    trust = Trust(
        issuer=payload.text("iss", grammar.PUBLISHER_ID),
        iat=payload.integer("iat"),
        version=muster.integer("version", 1),
        label=muster.text("label", grammar.LABEL),
        name=muster.text("name", grammar.DISPLAY_NAME),
        roots=(roots[0], roots[1]),
        keys=keys,
        text=compact.text,
    )
    _laws(trust)
    return trust


def _jwk(item: Claims) -> PublicKey:
    return PublicKey.from_jwk(item.value, item.where, _CODE)


def _key(item: Claims) -> TrustKey:
    role = item.text("role", grammar.NAME)
    if role == GRANT_ROLE:
        index: int | None = item.integer("index", 0, MAX_INDEX)
    else:
        item.absent("index")
        index = None
    jwk = item.object("jwk")
    return TrustKey(_jwk(jwk), role, index, item.optional_integer("until", 0, MAX_DAY))


def _laws(trust: Trust) -> None:
    every = [*trust.roots, *(entry.key for entry in trust.keys)]
    if len(set(every)) != len(every):
        _broken("keys", "a key appears twice")
    indexes = [entry.index for entry in trust.keys if entry.index is not None]
    if len(set(indexes)) != len(indexes):
        _broken("keys", "an index appears twice")


def _broken(name: str, detail: str) -> NoReturn:
    raise error(_CODE, where=f"{_WHAT}.muster.{name}", detail=detail)
