"""Grants, and the one function that makes them.

Decides the bytes of a grant out of few values, so that a machine that heard only digits on the
telephone rebuilds it, and whether a grant is the publisher's. Refuses to know who may have one:
that is the publisher's. Obeys docs/spec/04-grant-function.md.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import check_binding, check_hardware_id, check_publisher_id, grant_jti
from muster.core.ids import ConfirmationId
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, KeyGroup, day_of, day_start
from muster.core.values import dataclass
from muster.lease import claims, strict
from muster.lease.catalogue import MAX_COVERS, MAX_SPAN
from muster.lease.claims import Claims
from muster.lease.jws import (
    GRANT_TYP,
    Compact,
    PublicKey,
    SigningKey,
    check_header,
    join,
    parse,
    signing_input,
)
from muster.lease.strict import JSONObject, JSONValue
from muster.lease.trust import GRANT_ROLE, MAX_DAY, Trust

TERM = 30 * DAY
"""One unit of a grant's term, in seconds."""
MAX_TERM = 63
"""The longest term, in units; 0 means no end."""
HOST = Kind.HOST.text
MACHINE_KINDS = (Kind.MAK.text, Kind.EVALUATION.text, Kind.RETAIL.text)
"""Kinds of grants that license one machine."""
KINDS = (HOST, *MACHINE_KINDS)

_WHAT = "grant"


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as read. Times are Unix seconds; `exp` None means no end.

    `group` the key group of its key; `key` the key id as text; `binding` 25 and `hw` 12 hex
    digits; `covers` the key groups that it licenses; `hw` and `max_lease` stand with hosts only.
    """

    issuer: str
    group: str
    iat: int
    exp: int | None
    jti: str
    kind: str
    key: str
    binding: str
    hw: str | None
    covers: tuple[str, ...]
    max_lease: int | None
    kid: str
    text: str

    @property
    def day(self) -> int:
        """The day number of the grant."""
        return day_of(self.iat)

    @property
    def term(self) -> int:
        """The term in units of 30 days, 0 = no end."""
        return 0 if self.exp is None else (self.exp - self.iat) // TERM

    @property
    def key_id(self) -> KeyId:
        """The id of the product key behind it."""
        return KeyId.parse(self.key)


@dataclass(frozen=True, slots=True)
class GrantValues:
    """The few values that a grant is a function of, which telephone digits can say.

    `publisher` its id; `key_id` of the product key, of kind host, mak, evaluation or retail;
    `binding` 25 hex digits (of a host: `host_binding`); `hw` 12 hex digits for a host, else None;
    `term` 0 to 63 times 30 days, 0 = no end, which an evaluation cannot be; `day` 0 to 65535,
    day 0 = 2026-01-01; `group` the record of the key's group, out of the catalogue or a
    descriptor. Source: docs/spec/04-grant-function.md, section 4.1.
    """

    publisher: str
    key_id: KeyId
    binding: str
    hw: str | None
    term: int
    day: int
    group: KeyGroup


def grant_payload(values: GrantValues) -> JSONObject:
    """The payload of a grant, before JCS.

    Raises:
        MusterError `grant/range`: a value that a grant cannot say; `id/grammar`: publisher,
            binding or hw.
    Source: docs/spec/04-grant-function.md, section 4.1.
    """
    key_id, group, term, day = values.key_id, values.group, values.term, values.day
    kind = key_id.kind
    host = kind is Kind.HOST
    if kind is Kind.SETUP:
        raise error(
            "grant/range", field="kind", value=kind.text, allowed="host, mak, evaluation or retail"
        )
    if key_id.group != group.number:
        raise error("grant/range", field="group", value=group.id, allowed="the group of the key")
    if not 0 <= day <= MAX_DAY:
        raise error("grant/range", field="day", value=day, allowed=f"0 to {MAX_DAY}")
    if not 0 <= term <= MAX_TERM:
        raise error("grant/range", field="term", value=term, allowed=f"0 to {MAX_TERM}")
    if kind is Kind.EVALUATION and not term:
        allowed = f"1 to {MAX_TERM}: an evaluation ends"
        raise error("grant/range", field="term", value=term, allowed=allowed)
    if host != (values.hw is not None):
        raise error(
            "grant/range", field="hw", value=values.hw, allowed="a hardware id for hosts alone"
        )
    iat = day_start(day)
    muster: dict[str, JSONValue] = {
        "v": 1,
        "kind": kind.text,
        "key": key_id.text,
        "binding": check_binding(values.binding),
        "covers": list(group.covers),
    }
    if host:
        muster["hw"] = check_hardware_id(values.hw)
        muster["max_lease"] = group.max_lease
    payload: dict[str, JSONValue] = {
        "aud": f"{check_publisher_id(values.publisher)}/{group.id}",
        "iat": iat,
        "iss": values.publisher,
        "jti": grant_jti(values.publisher, key_id, values.binding),
        "muster": muster,
    }
    if term:
        payload["exp"] = iat + term * TERM
    return payload


def grant_signing_input(values: GrantValues, kid: str) -> bytes:
    """G: the bytes that a grant key signs.

    Args:
        kid: thumbprint of the grant key (which trust finds by the index in the digits).
    Raises:
        MusterError as `grant_payload`.
    Source: docs/spec/04-grant-function.md, section 4.2.
    """
    return signing_input(grant_payload(values), GRANT_TYP, kid)


def issue_grant(values: GrantValues, key: SigningKey) -> str:
    """Sign a grant; returns the compact JWS.

    Errors as `grant_payload`, and `licence/malformed` or `licence/claims` where the
    key group record is not one: nothing is signed that no reader would take.
    """
    signed = grant_signing_input(values, key.public.kid)
    text = join(signed, key.sign(signed))
    read_claims(parse(text, strict.SMALL, _WHAT))
    return text


def confirmation_of(text: str, index: int) -> ConfirmationId:
    """The digits that stand for a grant: its key's index, day, term and signature.

    Args:
        text: a grant that `issue_grant` made.
        index: 0 to 255, of the grant key that signed it, as trust lists it.
    Raises:
        MusterError `licence/malformed`, `licence/claims`: not a grant.
    Source: docs/spec/04-grant-function.md, section 4.3.
    """
    compact = parse(text, strict.SMALL, _WHAT)
    grant = read_claims(compact)
    return ConfirmationId(index, grant.day, grant.term, compact.signature)


def rebuild_grant(
    confirmation: ConfirmationId,
    publisher: str,
    key_id: KeyId,
    binding: str,
    hw: str | None,
    group: KeyGroup,
    trust: Trust,
) -> str:
    """Make the grant that a confirmation ID stands for, and check its signature.

    Args:
        confirmation: as typed, scanned or sent.
        publisher, key_id, binding, hw: of the installation ID that was read out.
        group: the record of the key's group, out of the descriptor (a host: the catalogue).
        trust: the publisher's, reached from the caller's own anchor.
    Returns:
        The compact JWS, the same bytes that the publisher holds.
    Raises:
        MusterError `confirmation/key` (trust has no such grant key, or it was retired before that
            day), `confirmation/signature` (the ID is another machine's or key's), `grant/range`.
    Source: docs/spec/04-grant-function.md, section 4.4.
    """
    try:
        entry = trust.grant_key(confirmation.key_index)
        entry = trust.find(entry.key.kid, GRANT_ROLE, confirmation.day)
    except MusterError as fault:
        raise error(
            "confirmation/key", index=confirmation.key_index, detail=fault.what.rstrip(".")
        ) from None
    if key_id.kind is Kind.EVALUATION and not confirmation.term:
        raise error("confirmation/signature")  # G makes no such grant: it is another key's
    values = GrantValues(publisher, key_id, binding, hw, confirmation.term, confirmation.day, group)
    signed = grant_signing_input(values, entry.key.kid)
    try:
        entry.key.verify(confirmation.signature, signed)
    except MusterError:
        raise error("confirmation/signature") from None
    return join(signed, confirmation.signature)


def read_grant(text: str, trust: Trust, publisher: str) -> Grant:
    """Read and verify a grant; what whoever holds trust does (hosts, publishers, managers).

    Args:
        text: compact JWS, from anywhere.
        trust: the publisher's, reached from the caller's own anchor.
        publisher: the id expected.
    Raises:
        MusterError `licence/malformed`, `licence/header`, `licence/grant` (not signed by a grant
            key of this trust on that day, or another publisher's), `licence/version`,
            `licence/claims`.
    Source: docs/spec/04-grant-function.md, section 4.5.
    """
    compact = parse(text, strict.SMALL, _WHAT)
    kid = check_header(compact, GRANT_TYP, _WHAT)
    check_signature(compact, kid, trust, publisher)
    return read_claims(compact)


def check_signature(compact: Compact, kid: str, trust: Trust, publisher: str) -> PublicKey:
    """Check that a grant key of this publisher signed; returns it. Raises `licence/grant`."""
    try:
        payload = Claims(compact.payload, _WHAT)
        day = day_of(payload.integer("iat"))
        key = trust.find(kid, GRANT_ROLE, day).key
        key.verify(compact.signature, compact.signing_input)
        issuer = payload.text("iss", grammar.PUBLISHER_ID)
    except MusterError as fault:
        raise error("licence/grant", detail=fault.what.rstrip(".")) from None
    if issuer != publisher:
        raise error("licence/grant", detail=f"it is the grant of {issuer}")
    return key


def read_claims(compact: Compact) -> Grant:
    """Read the claims of a grant, each typed; whose they are is not judged.

    Raises:
        MusterError `licence/version`, `licence/claims`.
    Source: docs/spec/04-grant-function.md, section 4.1.
    """
    payload = Claims(compact.payload, _WHAT)
    muster = payload.object("muster")
    claims.version(muster, _WHAT)
    issuer = payload.text("iss", grammar.PUBLISHER_ID)
    audience, _, group = payload.text("aud", grammar.AUDIENCE).partition("/")
    if audience != issuer:
        payload.refuse("aud", "not the publisher's own")
    kind = muster.choice("kind", KINDS)
    key_id = claims.key_id(muster)
    if key_id.kind.text != kind:
        muster.refuse("key", f"not of kind {kind}")
    if kind == HOST:
        hw: str | None = muster.text("hw", grammar.HARDWARE_ID)
        max_lease: int | None = muster.integer("max_lease", 1, MAX_SPAN)
    else:
        muster.absent("hw", "max_lease")
        hw = max_lease = None
    exp = payload.optional_integer("exp")
    if exp is None and kind == Kind.EVALUATION.text:
        payload.refuse("exp", "missing: an evaluation ends")
    covers = muster.texts("covers", grammar.NAME, MAX_COVERS, ordered=True)
    if not covers:
        muster.refuse("covers", "empty")
    return Grant(
        issuer=issuer,
        group=group,
        iat=payload.integer("iat"),
        exp=exp,
        jti=payload.text("jti", grammar.BASE64URL_16),
        kind=kind,
        key=key_id.text,
        binding=muster.text("binding", grammar.BINDING),
        hw=hw,
        covers=covers,
        max_lease=max_lease,
        kid=Claims(compact.header, f"{_WHAT} header").text("kid", grammar.BASE64URL_32),
        text=compact.text,
    )
