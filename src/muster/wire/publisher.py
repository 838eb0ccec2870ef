"""Host or machine to publisher: activation by installation ID (docs/spec/08-http.md, section 5).

All channels (online, file, QR, telephone) take only the installation ID and end in the same grant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import fit
from muster.core.values import dataclass, field, replace
from muster.lease import strict
from muster.lease.claims import Claims
from muster.wire import codec
from muster.wire.peer import Peer, hear
from muster.wire.problem import plain_params

TRUST_STEPS = 64
"""A machine follows at most this many trust versions a contact."""


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """The installation ID as digits: 12 groups of 6, 15 for a host.

    `name` is what a host calls itself where its administrator gave a name, else "".
    """

    installation_id: str
    name: str = ""

    def encode(self) -> bytes:
        """The body of `POST /v1/hosts/activate` and `/v1/activations`."""
        return codec.encode({"v": codec.VERSION, **self.members})

    @property
    def members(self) -> dict[str, str]:
        """The members of a request, online or in a file."""
        name = {"name": self.name} if self.name else {}
        return {"installation_id": self.installation_id, **name}


def decode_confirm_request(body: bytes) -> ConfirmRequest:
    """Read the request; the digits are checked by the service. Raises: `wire/bad-request`."""
    reader = codec.decode(body)
    codec.check_version(reader)
    return read_confirm_request(reader)


def read_confirm_request(reader: Claims) -> ConfirmRequest:
    """Take the members of a request out of a decoded object. Raises: `wire/bad-request`."""
    return ConfirmRequest(
        reader.text("installation_id", grammar.DIGIT_GROUPS), codec.display_name(reader, "name")
    )


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


def read_confirm_answer(reader: Claims) -> ConfirmAnswer:
    """Take the members of an answer out of a decoded object."""
    codec.check_version(reader)
    return ConfirmAnswer(
        grant=reader.text("grant", grammar.COMPACT_JWS),
        confirmation_id=reader.text("confirmation_id", grammar.DIGIT_GROUPS),
        trust=reader.texts("trust", grammar.COMPACT_JWS, limit=TRUST_STEPS, distinct=False),
        catalogue=reader.text("catalogue", grammar.COMPACT_JWS),
        terms=reader.optional_text("terms", grammar.COMPACT_JWS),
    )


def decode_confirm_answer(body: bytes, peer: str) -> ConfirmAnswer:
    """Read the publisher's answer; nothing in it is believed before it is verified.

    Raises: `wire/bad-answer` naming the peer, or `wire/version`.
    """
    try:
        return read_confirm_answer(codec.decode(body, ANSWER_LIMITS))
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None


# Batches (docs/spec/08-http.md, section 8.9).

BATCH_ROWS = 10_000
"""Installation IDs in one batch, all of one product key."""
BATCH_LIMITS = strict.Limits(bytes=2 * 1024 * 1024, levels=2, members=8, items=BATCH_ROWS)
"""Bounds of a batch request."""
BATCH_ANSWER_LIMITS = strict.Limits(
    bytes=32 * 1024 * 1024, levels=5, members=8 + 16 * BATCH_ROWS, items=BATCH_ROWS
)
"""Bounds of the answer to a batch."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Installation IDs of machines, as digits; all of one product key."""

    installation_ids: tuple[str, ...]

    def encode(self) -> bytes:
        """The body of `POST /v1/activations/batch`."""
        return codec.encode({"v": codec.VERSION, "installation_ids": list(self.installation_ids)})


def decode_batch_request(body: bytes) -> BatchRequest:
    """Read the request; the digits are checked by the service, row by row.

    Raises: `wire/bad-request`, also for no row and for more than `BATCH_ROWS`.
    """
    reader = codec.decode(body, BATCH_LIMITS)
    codec.check_version(reader)
    ids = reader.texts("installation_ids", grammar.DIGIT_GROUPS, limit=BATCH_ROWS, distinct=False)
    if not ids:
        raise error("wire/bad-request", detail="message.installation_ids: empty")
    return BatchRequest(ids)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The answer to one row: grant and confirmation ID, or an error.

    `grant` and `confirmation_id` are "" where the row failed; then `code`, `what`, `why`, `fix`,
    `retry` and `params` say why, as a problem document does. As read, the texts are those of our
    own row, and `says` holds a stranger's words where the code is unknown.
    """

    grant: str = ""
    confirmation_id: str = ""
    code: str = ""
    what: str = ""
    why: str = ""
    fix: str = ""
    retry: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""

    @classmethod
    def of(cls, fault: MusterError) -> BatchRow:
        """The row of an error."""
        return cls(
            code=fault.code,
            what=fit(fault.what, grammar.PROSE_CHARACTERS),
            why=fit(fault.why, grammar.PROSE_CHARACTERS),
            fix=fit(fault.fix, grammar.PROSE_CHARACTERS),
            retry=fault.row.retry.value,
            params=plain_params(fault.params),
        )

    @property
    def good(self) -> bool:
        """Whether the row has a grant."""
        return bool(self.grant)

    def to_dict(self) -> strict.JSONObject:
        """The row as JSON has it: only the members that apply."""
        if self.good:
            return {"grant": self.grant, "confirmation_id": self.confirmation_id}
        return {
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
            "retry": self.retry,
            "params": dict(self.params),
        }


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """One row for each installation ID, in their order, and what machines need to follow."""

    rows: Sequence[BatchRow]
    trust: tuple[str, ...]
    catalogue: str

    def encode(self) -> bytes:
        """The body of the answer."""
        return codec.encode(
            {
                "v": codec.VERSION,
                "answers": [row.to_dict() for row in self.rows],
                "trust": list(self.trust),
                "catalogue": self.catalogue,
            }
        )


def decode_batch_answer(body: bytes, peer: str) -> BatchAnswer:
    """Read the answer to a batch; nothing in it is believed before it is verified.

    Raises: `wire/bad-answer` naming the peer, or `wire/version`.
    """
    try:
        reader = codec.decode(body, BATCH_ANSWER_LIMITS)
        codec.check_version(reader)
        return BatchAnswer(
            rows=tuple(_batch_row(row, peer) for row in reader.objects("answers", BATCH_ROWS)),
            trust=reader.texts("trust", grammar.COMPACT_JWS, limit=TRUST_STEPS, distinct=False),
            catalogue=reader.text("catalogue", grammar.COMPACT_JWS),
        )
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None


def _batch_row(reader: Claims, peer: str) -> BatchRow:
    if reader.given("grant"):
        return BatchRow(
            grant=reader.text("grant", grammar.COMPACT_JWS),
            confirmation_id=reader.text("confirmation_id", grammar.DIGIT_GROUPS),
        )
    what, why = reader.text("what", grammar.PROSE), reader.text("why", grammar.PROSE)
    reader.text("fix", grammar.PROSE)
    reader.text("retry", grammar.RETRY)
    fault = hear(
        Peer.PUBLISHER,
        peer,
        reader.text("code", grammar.ERROR_CODE),
        reader.raw("params") if reader.given("params") else {},
        what,
        why,
    )
    row = BatchRow.of(fault)
    if fault.code == "wire/unknown-code":
        return replace(row, params={}, says=str(fault.params["says"]))
    return row
