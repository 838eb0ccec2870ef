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
                    "publisher": one.publisher,
                    "label": one.label,
                    "trust": one.trust,
                    "catalogue": one.catalogue,
                    "groups": list(one.groups),
                }
                for one in served
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
                publisher=one.text("publisher", grammar.PUBLISHER_ID),
                label=one.text("label", grammar.LABEL),
                trust=one.integer("trust"),
                catalogue=one.integer("catalogue"),
                groups=one.texts("groups", grammar.NAME, limit=256, distinct=False),
            )
            for one in reader.objects("publishers", limit=256)
        )
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None


def encode_grants(grants: tuple[HostGrant, ...]) -> bytes:
    """The body of `GET /v1/publishers/{publisher}/grants`."""
    return codec.encode(
        {
            "v": codec.VERSION,
            "grants": [{"grant": one.grant, "signer": one.signer.jwk} for one in grants],
        }
    )


def decode_grants(body: bytes, peer: str) -> tuple[HostGrant, ...]:
    """Read the answer. Raises: `wire/bad-answer`, `wire/version`."""
    try:
        reader = codec.decode(body, LIMITS)
        codec.check_version(reader)
        return tuple(
            HostGrant(
                grant=one.text("grant", grammar.COMPACT_JWS),
                signer=PublicKey.from_jwk(one.raw("signer"), "signer", "wire/bad-request"),
            )
            for one in reader.objects("grants", limit=256)
        )
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None
