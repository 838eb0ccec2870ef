"""Host or machine to publisher: activation by installation ID (docs/spec/08-http.md, section 5).

All doors (online, file, QR, telephone) take only the installation ID and end in the same grant.
"""

from __future__ import annotations

from dataclasses import dataclass

from muster.core.errors import MusterError
from muster.lease import strict
from muster.wire import codec

TRUST_STEPS = 64
"""A machine follows at most this many trust versions a contact."""


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """The installation ID as digits: 12 groups of 6, 15 for a host."""

    installation_id: str

    def encode(self) -> bytes:
        """The body of `POST /v1/hosts/activate` and `/v1/activations`."""
        return codec.encode({"v": codec.VERSION, "installation_id": self.installation_id})


def decode_confirm_request(body: bytes) -> ConfirmRequest:
    """Read the request; the digits are checked by the service. Raises: `wire/bad-request`."""
    reader = codec.decode(body)
    reader.version()
    return ConfirmRequest(reader.text("installation_id", codec.DIGITS))


@dataclass(frozen=True, slots=True)
class ConfirmAnswer:
    """The grant, the confirmation ID that rebuilds it, and what the machine needs to follow.

    `trust` holds the versions above the one that the installation ID names, lowest first, at most
    64; `catalogue` the newest catalogue; `terms` the terms object or None.
    """

    grant: str
    confirmation_id: str
    trust: tuple[str, ...]
    catalogue: str
    terms: str | None = None

    def encode(self) -> bytes:
        """The body of the answer, and of a reply file."""
        return codec.encode(
            {
                "v": codec.VERSION,
                "grant": self.grant,
                "confirmation_id": self.confirmation_id,
                "trust": list(self.trust),
                "catalogue": self.catalogue,
                "terms": self.terms,
            }
        )


ANSWER_LIMITS = strict.Limits(bytes=8 * 1024 * 1024, levels=4, members=64, items=TRUST_STEPS)
"""Bounds of an answer: a catalogue of 4 MiB is 6 MiB as compact JWS."""


def read_confirm_answer(reader: codec.Reader) -> ConfirmAnswer:
    """Take the members of an answer out of a decoded object."""
    reader.version()
    return ConfirmAnswer(
        grant=reader.text("grant", codec.COMPACT),
        confirmation_id=reader.text("confirmation_id", codec.DIGITS),
        trust=reader.texts("trust", codec.COMPACT, limit=TRUST_STEPS),
        catalogue=reader.text("catalogue", codec.COMPACT),
        terms=reader.optional_text("terms", codec.COMPACT),
    )


def decode_confirm_answer(body: bytes, peer: str) -> ConfirmAnswer:
    """Read the publisher's answer; nothing in it is believed before it is verified.

    Raises: `wire/bad-answer` naming the peer, or `wire/version`.
    """
    try:
        return read_confirm_answer(codec.decode(body, ANSWER_LIMITS))
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None
