"""What a container is worth by the evidence of its node's agent. Pure.

The caller's own descriptor decides: every signature in the evidence is verified from it. What is
taken on the word of the agent, and so of root, is that the licence is of this machine. Obeys
docs/spec/14-agent.md, sections 14.5 and 14.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster.client.authority import authority
from muster.client.judge import Verdict, evaluate, is_activation, with_warnings
from muster.client.model import Identity, Memory, ProductRecord
from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.states import LicenceState
from muster.core.values import replace
from muster.lease.claims import Claims
from muster.lease.descriptor import Descriptor
from muster.lease.steps import Expected
from muster.lease.verify import VerifiedLicence, verify_activation

_SHARED = "node"
_MOST_COMMITMENTS, _MOST_TRUST = 16, 4096


def verdict_of(descriptor: Descriptor, evidence: Mapping[str, Any], now: int) -> Verdict:
    """Judge a product by the evidence of an agent.

    Args:
        evidence: the decoded answer; anything.
    Raises: `wire/bad-answer` for what is no evidence; `client/not-shared` where the machine does
        not share its licence with containers.
    """
    claims = Claims(evidence, "evidence", "wire/bad-request")
    try:
        memory = _memory(descriptor, claims)
        fingerprint = claims.texts("fingerprint", grammar.COMMITMENT, limit=_MOST_COMMITMENTS)
        binding = claims.optional_text("binding", grammar.BINDING) or ""
    except MusterError as fault:
        detail = str(fault.params.get("detail", fault.what))
        raise error("wire/bad-answer", peer="the agent", detail=detail) from None
    if memory.identity.mode != _SHARED:
        product, mode = descriptor.product.id, memory.identity.mode
        raise error("client/not-shared", product=product, mode=mode)
    held = authority(descriptor, memory, now)
    record = memory.products[descriptor.product.id]
    verified: VerifiedLicence | None = None
    unbound: MusterError | None = None
    if is_activation(record.licence) and held.fault is None:
        expected = Expected(
            descriptor=descriptor,
            trust=held.trust,
            now=now,
            catalogue=held.catalogue,
            binding=binding,
            clock_mark=held.clock_mark,
        )
        try:
            verified = verify_activation(record.licence.encode("utf-8"), expected)
        except MusterError as fault:
            unbound = fault
    verdict = evaluate(descriptor, memory, fingerprint, now, held, verified=verified)
    if unbound is not None:
        verdict = replace(verdict, fault=unbound)
    return with_warnings(verdict, now)


def refused(descriptor: Descriptor, fault: MusterError, now: int) -> Verdict:
    """The verdict where no evidence could be had, or none that counts."""
    return replace(evaluate(descriptor, None, (), now), fault=fault)


def _memory(descriptor: Descriptor, claims: Claims) -> Memory:
    """A machine's memory, as far as evidence holds it: nothing in it is believed."""
    mode = claims.text("identity", grammar.IDENTITY_MODE)
    identity = Identity(mode, claims.text("cmid", grammar.UUID), b"", b"")
    licence = _text(claims, "licence")
    record = ProductRecord(
        product=descriptor.product.id,
        added=claims.integer("added_at"),
        key=claims.text("key_id", grammar.KEY_ID_OR_EMPTY),
        state=LicenceState(claims.integer("state", 0, max(LicenceState))),
        since=claims.integer("since"),
        licence=licence,
        nonce=_text(claims, "nonce"),
    )
    return Memory(
        publisher=descriptor.publisher,
        identity=identity,
        products={record.product: record},
        trust=claims.texts("trust", grammar.COMPACT_JWS, limit=_MOST_TRUST, distinct=False),
        catalogue=_text(claims, "catalogue"),
        clock_mark=claims.integer("clock_mark"),
    )


def _text(claims: Claims, name: str) -> str:
    """A text, which signatures judge; "" where it is null."""
    value = claims.value.get(name)
    if value is not None and not isinstance(value, str):
        claims.refuse(name, "not a text")
    return value or ""
