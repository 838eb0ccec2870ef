"""One request to one host, from its nonce to the documents that its answer names. Pure.

Decides which newer document of the publisher is fetched before the answer is judged. Refuses to
know how (`muster.client.machine`). Obeys docs/spec/03-trust-and-catalogue.md, section 3.5.
"""

from __future__ import annotations

from muster.client.authority import Authority
from muster.client.discovery import Candidate
from muster.client.messages import Document
from muster.core.values import dataclass, replace
from muster.lease.trust import WALK_LIMIT
from muster.wire.activation import ActivationAnswer
from muster.wire.problem import Problem

MOST_CHALLENGES = 3
"""Challenges of one host that are answered in one try."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where one request stands.

    `candidate` the host that is asked, None before; `nonce` that of the request and `line` the
    prefixes of those before it;
    `challenge` what the host gave for it, "" for nothing, and `challenges` how many it has given
    in this try; `answer` what the host said, None before, and `ip` the address
    under which it was reached; `steps` how many trust objects were followed for it; `unwanted`
    what is not fetched again; `fetching` what is on its way.
    """

    candidate: Candidate | None = None
    nonce: str = ""
    line: tuple[str, ...] = ()
    challenge: str = ""
    challenges: int = 0
    answer: ActivationAnswer | Problem | None = None
    ip: str = ""
    steps: int = 0
    unwanted: frozenset[Document] = frozenset()
    fetching: Document = Document.CATALOGUE

    @property
    def host(self) -> Candidate:
        """The host that is asked; only while there is one."""
        assert self.candidate is not None
        return self.candidate

    def of(self, candidate: Candidate | None, challenge: str = "") -> Attempt:
        """The same request, to another host or to none; `challenge` is what that one gave."""
        return Attempt(candidate, self.nonce, self.line, challenge)

    def challenged(self, answer: ActivationAnswer | Problem) -> Attempt | None:
        """The same request with the challenge that an answer brings, None where it brings none
        or this host has given enough of them."""
        given = answer.challenge if isinstance(answer, Problem) else ""
        if not given or self.challenges >= MOST_CHALLENGES:
            return None
        return replace(self, challenge=given, challenges=self.challenges + 1)

    def without(self, document: Document) -> Attempt:
        """The same, which does not fetch a document any more."""
        return replace(self, unwanted=self.unwanted | {document})

    def wanted(self, held: Authority) -> tuple[Document, int] | None:
        """What is fetched before the answer is judged, and its lowest version, 0 for a catalogue.

        Args:
            held: what the machine has.
        """
        assert self.answer is not None
        version = held.trust.version
        if (
            self.answer.trust > version
            and Document.TRUST not in self.unwanted
            and self.steps < WALK_LIMIT
        ):
            return Document.TRUST, version + 1
        catalogue = 0 if held.catalogue is None else held.catalogue.version
        if self.answer.catalogue > catalogue and Document.CATALOGUE not in self.unwanted:
            return Document.CATALOGUE, 0
        return None
