"""What a host says of itself to anybody (docs/spec/08-http.md, section 7)."""

from __future__ import annotations

from muster.core import grammar
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.jws import PublicKey
from muster.wire import codec

LIMITS = strict.Limits(bytes=64 * 1024, levels=5, members=4096, items=256)


@dataclass(frozen=True, slots=True)
class ServedPublisher:
    """One publisher that a host serves: its id, label, versions held, key groups granted."""

    publisher: str
    label: str
    trust: int
    catalogue: int
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostGrant:
    """A host grant with the public key that it is bound to."""

    grant: str
    signer: PublicKey


def encode_publishers(served: tuple[ServedPublisher, ...]) -> bytes:
    """The body of `GET /v1/publishers`."""
    return codec.encode(
        {
            "v": codec.VERSION,
            "publishers": [
                {
                    "publisher": publisher.publisher,
                    "label": publisher.label,
                    "trust": publisher.trust,
                    "catalogue": publisher.catalogue,
                    "groups": list(publisher.groups),
                }
                for publisher in served
            ],
        }
    )


def decode_publishers(body: bytes, peer: str) -> tuple[ServedPublisher, ...]:
    """Read the answer. Raises: `wire/bad-answer`, `wire/version`."""
    try:
        reader = codec.decode(body, LIMITS)
        codec.check_version(reader)
        return tuple(
            ServedPublisher(
                publisher=row.text("publisher", grammar.PUBLISHER_ID),
                label=row.text("label", grammar.LABEL),
                trust=row.integer("trust"),
                catalogue=row.integer("catalogue"),
                groups=row.texts("groups", grammar.NAME, limit=256, distinct=False),
            )
            for row in reader.objects("publishers", limit=256)
        )
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None


def encode_grants(grants: tuple[HostGrant, ...]) -> bytes:
    """The body of `GET /v1/publishers/{publisher}/grants`."""
    return codec.encode(
        {
            "v": codec.VERSION,
            "grants": [{"grant": grant.grant, "signer": grant.signer.jwk} for grant in grants],
        }
    )


def decode_grants(body: bytes, peer: str) -> tuple[HostGrant, ...]:
    """Read the answer. Raises: `wire/bad-answer`, `wire/version`."""
    try:
        reader = codec.decode(body, LIMITS)
        codec.check_version(reader)
        return tuple(
            HostGrant(
                grant=row.text("grant", grammar.COMPACT_JWS),
                signer=PublicKey.from_jwk(row.raw("signer"), "signer", "wire/bad-request"),
            )
            for row in reader.objects("grants", limit=256)
        )
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None
