"""What a machine knows while it tries: its memory as it changes, seen from one product. Pure.

Decides how what is remembered is read and changed in one place, so that the machine itself holds
only where the try stands. Refuses to know hosts and answers (`muster.client.machine`).
"""

from __future__ import annotations

from muster.client import authority as documents
from muster.client import conversion, doubts, schedule, trust_chain
from muster.client.authority import Authority
from muster.client.discovery import Address
from muster.client.judge import Verdict, evaluate, must_hurry
from muster.client.messages import Situation
from muster.client.model import Identity, ProductRecord
from muster.client.requests import Requests
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.identity import commitments
from muster.core.products import SKEW, Product
from muster.core.text import instant_text
from muster.core.values import replace
from muster.lease.steps import Expected, advance_mark
from muster.lease.verify import VerifiedLicence


class WorkingMemory:
    """The memory of one try. `now` is the time of the event that is handled.

    `memory` is what is remembered at this moment, `durable` what is on disk.
    """

    def __init__(self, situation: Situation) -> None:
        self.now = 0
        self.memory = situation.memory
        self.durable = situation.memory
        self._descriptor = situation.descriptor
        self._facts = situation.facts
        self._commitments: tuple[bytes, tuple[str, ...]] | None = None
        self._documents = documents.Held(situation.descriptor)

    # What is known.

    def require_record(self) -> ProductRecord:
        """The record of a product with a key. Raises: `client/not-added`, `client/no-key`."""
        product = self._descriptor.product.id
        record = self.memory.product(product)
        if record is None:
            raise error("client/not-added", product=product)
        if not record.key:
            raise error("client/no-key", product=product)
        return record

    @property
    def record(self) -> ProductRecord:
        """The record of the product."""
        return self.memory.products[self._descriptor.product.id]

    def asked(self) -> Product:
        """The product that hosts are asked for: what the build becomes by its key."""
        product = self._descriptor.product
        if product.channel == "volume":
            return product
        groups = self._descriptor.groups
        return conversion.by_key(product, self.record.key, groups, self.held().catalogue)

    def fingerprint(self) -> tuple[str, ...]:
        """The commitments of this machine's facts under the salt of its identity."""
        salt = self.memory.identity.salt
        if self._commitments is None or self._commitments[0] != salt:
            self._commitments = (salt, commitments(salt, self._facts))
        return self._commitments[1]

    def held(self) -> Authority:
        """Trust and catalogue as reached from the descriptor."""
        return self._documents.of(self.memory, self.now)

    def verdict(self, verified: VerifiedLicence | None = None) -> Verdict:
        """Whether the product is licensed by what is remembered now.

        Args:
            verified: the lease that was verified in this try, where one was.
        """
        return evaluate(
            self._descriptor,
            self.memory,
            self.fingerprint(),
            self.now,
            held=self.held(),
            facts=self._facts,
            verified=verified,
        )

    def is_due(self, verdict: Verdict) -> bool:
        """Whether a try that nobody typed is due."""
        record = self.record
        if schedule.is_due(record.next_attempt, self.now, record.scheduled):
            return True
        rested = not 0 <= self.now - record.last_attempt < schedule.SHORTEST
        return must_hurry(verdict) and rested

    def leased_retry(self) -> int | None:
        """The retry interval of the lease that runs, in seconds, or None."""
        licence = self.verdict().licence
        return None if licence is None else licence.retry_after

    def expected(self, nonce: str) -> Expected:
        """What the answer to the request with this nonce must say to be good here."""
        held = self.held()
        mark = held.clock_mark
        if self.now < mark - SKEW:
            mark = documents.mark_for_answers(self._descriptor, held)
        return Expected(
            descriptor=replace(self._descriptor, product=self.asked()),
            trust=held.trust,
            now=self.now,
            catalogue=held.catalogue,
            cmid=self.memory.identity.cmid,
            identity=self.memory.identity.mode,
            nonce=nonce,
            fingerprint=self.fingerprint(),
            clock_mark=mark,
            fresh=True,
        )

    def doubted(self) -> frozenset[Address]:
        """The hosts that are asked after all others."""
        return doubts.standing(self.memory.doubts, self.now)

    # What changes.

    def put(self, record: ProductRecord) -> None:
        """Put in the record of the product."""
        self.memory = self.memory.with_product(record)

    def doubt(self, address: Address) -> None:
        """A host gave no lease."""
        found = doubts.doubted(self.memory.doubts, address, self.now)
        self.memory = replace(self.memory, doubts=found)

    def trust_again(self, address: Address) -> None:
        """A host did its work."""
        self.memory = replace(self.memory, doubts=doubts.trusted(self.memory.doubts, address))

    def tidy_line(self) -> None:
        """Keep the trust objects in order and without those that no walk needs."""
        texts, chain_walk = trust_chain.ordered(self.memory.trust), self.held().chain_walk
        self.memory = documents.keep_line(self.memory, texts, chain_walk)
        self._documents.keep_walk(self.memory, chain_walk)

    def apply_trust(self, text: str) -> None:
        """Follow trust by one object. Raises: as `muster.client.authority.apply_trust`."""
        self.memory, chain_walk = documents.apply_trust(self.memory, self.held(), text, self.now)
        self._documents.keep_walk(self.memory, chain_walk)

    def apply_catalogue(self, text: str) -> None:
        """Take a newer catalogue. Raises: as `muster.client.authority.take_catalogue`."""
        self.memory = self._documents.apply_catalogue(self.memory, text, self.now)

    def rename(self, identity: Identity) -> None:
        """Take an identity with another CMID, which has made no request yet."""
        memory = replace(self.memory, identity=identity)
        detail = f"{self.durable.identity.cmid} became {identity.cmid}"
        memory = memory.noted(self.now, Audit.CLIENT_CMID_RENEW, detail=detail)
        self.memory = replace(memory.with_all(next_attempt=0), requests=Requests())

    def accept(self, licence: VerifiedLicence, nonce: str, by: Address, challenge: str) -> None:
        """Remember beside the record what a verified lease tells of machine, time and requests,
        and what the host gave for the next one."""
        identity = replace(self.memory.identity, made_on=self.fingerprint())
        held = self.held()
        mark = held.clock_mark
        if self.now < mark - SKEW:
            mark = documents.mark_for_answers(self._descriptor, held)
        mark = advance_mark(mark, licence.issued, self.now)
        requests = self.memory.requests.answered(nonce, by.text, challenge)
        memory = replace(self.memory, identity=identity, clock_mark=mark, requests=requests)
        if mark < held.clock_mark:
            detail = f"from {instant_text(held.clock_mark)} to {instant_text(mark)} by {by.text}"
            memory = memory.noted(self.now, Audit.CLIENT_CLOCK_MARK_LOWER, detail=detail)
        detail = f"by {by.text}"
        self.memory = memory.noted(self.now, Audit.CLIENT_LICENCE_ACCEPT, licence.product, detail)
