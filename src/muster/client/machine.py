"""One activation of one product, without I/O: events go in, effects come out.

`Machine.handle(event)` is the only entry. It decides which host is asked next, what an answer is
worth, what is remembered and when the next try is due. It refuses to know sockets, DNS, disks and
clocks: every event brings the time, and a driver runs the effects (`muster.client.driver`).
Obeys docs/spec/05-verification.md and 07-discovery.md.

The rules that look odd:

- An unsigned answer changes nothing that lasts. It is told, and it moves the next try within 15
  minutes to 4 hours.
- A host that names newer trust or a newer catalogue is asked for them before its lease is
  verified, so that a machine which never meets the publisher follows all the same.
- A new CMID is saved before any host sees it, so that a crash does not make two machines of one;
  and so is the nonce of a try, so that the next one can show it.
- A licence that was good stays until a better one is verified: a refused renewal takes nothing.

What it holds beside the phase is in two places: `Attempt`, the request that is under way, and
`WorkingMemory`, what is remembered at this moment.

`TABLE` has a row for every pair of phase and event; a pair that cannot happen with an honest
driver, such as the late answer of a host that was given up, is ignored there by name. The module is
long, because the table and what it calls are read together.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from muster.client import hosts, outcome, schedule
from muster.client import identity as identities
from muster.client.attempt import Attempt
from muster.client.discovery import Candidate, not_asked
from muster.client.hosts import NOT_ASKED
from muster.client.judge import copied
from muster.client.messages import (
    Answered,
    Ask,
    Begin,
    Discover,
    Discovered,
    Document,
    Effects,
    Event,
    Failed,
    Fetch,
    Fetched,
    Finish,
    NotSaved,
    Save,
    Saved,
    Situation,
    Tried,
    Warn,
)
from muster.client.model import MAX_ASIDES, Aside, Memory
from muster.client.requests import Secrets
from muster.client.working_memory import WorkingMemory
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.identity import nonce_of
from muster.core.values import replace
from muster.lease.jws import MemorySigningKey
from muster.lease.notice import DUPLICATE_CMID
from muster.lease.verify import VerifiedLicence, verify_lease, verify_notice
from muster.wire.activation import ActivationAnswer, ActivationRequest, decode_answer, decode_notice
from muster.wire.peer import Peer
from muster.wire.problem import Problem, decode_problem

COUNTED: Final = "host/insufficient-count"
"""The refusal that ends a try: the machine was counted, and other hosts count for themselves."""
NOT_SERVED: Final = "host/not-served"
"""The refusal that sets a host aside for this product."""


class Phase(enum.Enum):
    """Where a try stands."""

    READY = "ready"
    PREPARING = "saving the nonce of the next request, and a new identity"
    DISCOVERING = "waiting for DNS"
    ASKING = "waiting for a host"
    FETCHING = "waiting for trust or catalogue"
    SAVING = "saving the outcome"
    DONE = "done"


class Machine:
    """One try. Make one for each product and each time."""

    def __init__(self, situation: Situation, dice: Dice) -> None:
        self.phase = Phase.READY
        self._situation = situation
        self._plan = situation.plan
        self._descriptor = situation.descriptor
        self._known = WorkingMemory(situation)
        self._dice = dice
        self._number = 0
        self._queue: list[Candidate] = []
        self._discovered = False
        self._tried: list[Tried] = []
        self._attempt = Attempt()
        self._noticed = False
        self._faults: tuple[MusterError, ...] = ()
        self._fault: MusterError | None = None
        self._licence: VerifiedLicence | None = None
        self._fresh = Secrets()
        self._key: MemorySigningKey | None = None

    def handle(self, event: Event) -> Effects:
        """Take one event and say what is to be done.

        Raises:
            MusterError: only for `Begin`, where the try cannot start: `client/no-key`,
                `client/identity-mode`, `client/no-system-uuid`, `client/no-facts`. Whatever a
                host or DNS says raises nothing.
        """
        self._known.now = event.now
        return TABLE[self.phase, type(event)](self, event)

    # Begin.

    def _begin(self, event: Event) -> Effects:
        assert isinstance(event, Begin)
        record = self._known.require_record()
        product = self._descriptor.product
        identity = self._known.memory.identity
        identities.check_mode(identity.mode, product.identity, product.id)
        now_identity = identities.current_identity(
            identity, self._known.memory.publisher, self._situation.facts, self._situation.boot
        )
        self._known.memory = replace(self._known.memory, identity=now_identity)
        if not self._known.fingerprint() and identity.mode != "explicit":
            raise error("client/no-facts")
        self._known.tidy_line()
        elsewhere = copied(self._known.memory, self._known.fingerprint())
        verdict = self._known.verdict()
        if not event.typed and not self._known.is_due(verdict) and not elsewhere:
            self.phase = Phase.DONE
            return (Finish(verdict, None, renewed=False, due=False, tried=()),)
        aside = () if event.typed else hosts.standing_asides(record, self._known.now)
        self._known.put(replace(record, aside=aside, last_attempt=self._known.now))
        publisher, facts = self._known.memory.publisher, self._situation.facts
        other = identities.replacement(
            now_identity,
            publisher,
            facts,
            self._situation.boot,
            self._situation.secrets.seeds,
            self._dice,
            copied=elsewhere,
        )
        if other is not None:
            fresh, warning = other
            return (Warn(warning), *self._adopt(fresh))
        self._key = identities.machine_key(
            now_identity, publisher, facts, self._situation.secrets.seeds
        )
        if now_identity != identity:
            self._known.rename(now_identity)
        return self._prepare()

    def _adopt(self, fresh: identities.Made) -> Effects:
        """Take another identity; the try goes on when it is saved."""
        self._known.rename(fresh.identity)
        self._key = MemorySigningKey(fresh.seed)
        self._fresh = self._fresh.with_seed(fresh.identity.cmid, fresh.seed)
        return self._prepare()

    def _prepare(self) -> Effects:
        """Draw the nonce of this try and save it before any host sees it."""
        requests = self._known.memory.requests
        nonce = nonce_of(self._dice.token(16))
        self._attempt = replace(self._attempt, nonce=nonce, line=requests.line)
        sending = requests.sending(nonce, self._known.now)
        self._known.memory = replace(self._known.memory, requests=sending)
        self.phase = Phase.PREPARING
        return (Save(self._known.memory, self._fresh),)

    def _prepared(self, event: Event) -> Effects:
        assert isinstance(event, Saved)
        self._known.durable = self._known.memory
        if self._attempt.candidate is not None:  # after a notice: the same host once more
            return self._ask(self._attempt.candidate)
        if self._plan.files:
            self._plan = hosts.applied(self._plan, self._known.held(), self._known.now)
        self._discovered = self._plan.host is not None
        doubted = self._known.doubted()
        self._queue = hosts.before_dns(self._plan, self._known.record, doubted, self._dice)
        return (*map(Warn, self._plan.faults), *self._next())

    def _not_prepared(self, event: Event) -> Effects:
        assert isinstance(event, NotSaved)
        self._known.memory = self._known.durable
        self._fault = event.fault
        return self._finish()

    # Which host.

    def _next(self) -> Effects:
        if self._queue:
            return self._ask(self._queue.pop(0))
        if self._discovered:
            return self._give_up()
        self._discovered = True
        asked = hosts.names_asked(self._descriptor.trust.label, self._plan)
        if not asked:
            self._faults = (error("client/no-suffix"),)
            return self._give_up()
        self.phase = Phase.DISCOVERING
        unasked = self._plan.unasked
        return (*([Warn(not_asked(unasked))] if unasked else []), Discover(asked))

    def _discovered_hosts(self, event: Event) -> Effects:
        assert isinstance(event, Discovered)
        self._faults = event.faults
        plan, record = self._plan, self._known.record
        self._queue = hosts.from_dns(
            event.found, plan, record, self._dice, tried=self._tried, doubted=self._known.doubted()
        )
        if not self._queue and not event.faults:
            self._faults = (hosts.nothing_found(plan, record, self._descriptor),)
        return self._next()

    # Ask.

    def _ask(self, candidate: Candidate) -> Effects:
        challenge = self._known.memory.requests.challenge_of(candidate.address.text)
        self._attempt = self._attempt.of(candidate, challenge)
        return self._send(candidate)

    def _send(self, candidate: Candidate) -> Effects:
        self._number += 1
        identity, held = self._known.memory.identity, self._known.held()
        assert self._key is not None
        request = ActivationRequest(
            publisher=self._known.memory.publisher,
            product=self._known.asked().id,
            cmid=identity.cmid,
            key=self._key.public.raw,
            nonce=self._attempt.nonce,
            line=self._attempt.line,
            challenge=self._attempt.challenge,
            fingerprint=self._known.fingerprint(),
            identity=identity.mode,
            state=int(self._known.verdict().state),
            sent_at=self._known.memory.requests.sent_at,
            trust=held.trust.version,
            catalogue=0 if held.catalogue is None else held.catalogue.version,
            client=self._situation.info,
        ).prove(self._key)
        self.phase = Phase.ASKING
        waiting = len(self._queue)
        if not self._discovered and self._plan.suffixes:
            waiting += 1
        again = self._attempt.challenges > 0
        return (Ask(self._number, candidate, request.body, waiting, again),)

    def _silent(self, event: Event) -> Effects:
        assert isinstance(event, Failed)
        if event.number != self._number:
            return ()
        return self._strike(event.fault)

    def _answered(self, event: Event) -> Effects:
        assert isinstance(event, Answered)
        if event.number != self._number or self._attempt.candidate is None:
            return ()
        peer = self._attempt.host.address.text
        answer: ActivationAnswer | Problem
        try:
            if event.status == 200:
                answer = decode_answer(event.body, peer)
            else:
                answer = decode_problem(event.status, event.body, peer, Peer.HOST)
        except MusterError as fault:
            return self._strike(fault)
        again = self._attempt.challenged(answer)
        if again is not None:
            self._attempt = again
            return self._send(self._attempt.host)
        self._attempt = replace(self._attempt, answer=answer, ip=event.ip)
        return self._fetch_next()

    def _strike(self, fault: MusterError) -> Effects:
        """This host gave nothing that can be used: go to the next one."""
        host = self._attempt.host
        if fault.code not in (NOT_SERVED, NOT_ASKED):
            self._known.doubt(host.address)
        self._tried.append(Tried(host, fault))
        self._attempt = self._attempt.of(None)
        return self._next()

    # Follow trust and catalogue from the host that named newer ones.

    def _fetch_next(self) -> Effects:
        wanted = self._attempt.wanted(self._known.held())
        if wanted is None:
            answer = self._attempt.answer
            if isinstance(answer, ActivationAnswer):
                return self._conclude_lease(answer)
            assert isinstance(answer, Problem)
            return self._conclude_problem(answer)
        document, version = wanted
        self._number += 1
        self._attempt = replace(self._attempt, fetching=document)
        self.phase = Phase.FETCHING
        address, publisher = self._attempt.host.address, self._known.memory.publisher
        return (Fetch(self._number, address, document, publisher, version),)

    def _fetched(self, event: Event) -> Effects:
        assert isinstance(event, Fetched)
        if event.number != self._number:
            return ()
        try:
            if self._attempt.fetching is Document.TRUST:
                self._known.apply_trust(event.text)
                self._attempt = replace(self._attempt, steps=self._attempt.steps + 1)
            else:
                self._attempt = self._attempt.without(Document.CATALOGUE)
                self._known.apply_catalogue(event.text)
        except MusterError as fault:
            return self._go_without(fault)
        return self._fetch_next()

    def _not_fetched(self, event: Event) -> Effects:
        assert isinstance(event, Failed)
        if event.number != self._number:
            return ()
        return self._go_without(event.fault)

    def _go_without(self, fault: MusterError) -> Effects:
        self._attempt = self._attempt.without(self._attempt.fetching)
        return (Warn(fault), *self._fetch_next())

    # What the answer is worth.

    def _conclude_lease(self, answer: ActivationAnswer) -> Effects:
        host, nonce = self._attempt.host, self._attempt.nonce
        held = self._known.held()
        try:
            if held.fault is not None:
                raise held.fault
            licence = verify_lease(answer.bundle, self._known.expected(nonce))
        except MusterError as fault:
            return self._strike(fault)
        self._licence = licence
        self._known.put(
            outcome.leased(
                self._known.record,
                licence,
                nonce,
                by=host.address,
                ip=self._attempt.ip,
                now=self._known.now,
                dice=self._dice,
            )
        )
        self._known.trust_again(host.address)
        self._known.accept(licence, nonce, host.address, answer.challenge)
        self._tried.append(Tried(host, None))
        self.phase = Phase.SAVING
        return (Save(self._known.memory, self._fresh),)

    def _conclude_problem(self, problem: Problem) -> Effects:
        host = self._attempt.host
        record = replace(self._known.record, last_contact=self._known.now)
        self._known.put(record)
        if problem.code == DUPLICATE_CMID:
            return self._conclude_duplicate(problem)
        if problem.code == NOT_SERVED:
            aside = Aside(host.address, self._known.now + schedule.ASIDE)
            self._known.put(replace(record, aside=(*record.aside, aside)[-MAX_ASIDES:]))
            return self._strike(problem.error())
        if problem.code == COUNTED:
            self._known.trust_again(host.address)
            count, need = problem.number("count"), problem.number("need")
            self._known.put(replace(record, count=count, need=need))
            fault = problem.error()
            self._tried.append(Tried(host, fault))
            return self._refused(fault, problem.number("retry_after"))
        return self._strike(problem.error())

    def _conclude_duplicate(self, problem: Problem) -> Effects:
        """A host says that another machine has this CMID: heeded only signed, once, and rarely."""
        peer = self._attempt.host.address.text
        try:
            if problem.notice is None:
                raise error("client/unsigned-notice", peer=peer)
            bundle = decode_notice(problem.notice, peer)
            notice = verify_notice(bundle.encode(), self._known.expected(self._attempt.nonce))
        except MusterError as fault:
            return (Warn(fault), *self._strike(outcome.unheeded(fault, peer)))
        identity = self._known.memory.identity
        fresh = outcome.heed(
            identity,
            self._known.memory.publisher,
            self._situation.boot,
            self._known.now,
            self._dice,
            meant=notice.code == DUPLICATE_CMID and not self._noticed,
        )
        if not isinstance(fresh, identities.Made):
            # A host under the publisher's grant said it: no other host is asked instead.
            unheeded = problem.error() if fresh is None else fresh
            self._tried.append(Tried(self._attempt.host, unheeded))
            return self._refused(unheeded, None)
        self._noticed = True
        warning = error("client/new-cmid", old=identity.cmid, new=fresh.identity.cmid, peer=peer)
        return (Warn(warning), *self._adopt(fresh))

    # The end.

    def _refused(self, fault: MusterError, offered: int | None) -> Effects:
        leased = self._known.leased_retry()
        default = self._descriptor.product.spans.retry_after
        at = schedule.after_refusal(
            self._known.now, self._dice, leased=leased, default=default, offered=offered
        )
        self._fault = fault
        self._known.put(outcome.failed(self._known.record, fault, at, self._known.now))
        return self._save_outcome()

    def _give_up(self) -> Effects:
        fault = hosts.why_nobody(self._tried, self._faults)
        failures = self._known.record.failures
        at = self._soon()
        if at is None:
            failures += 1
            at = schedule.after_silence(
                self._known.now,
                failures,
                self._dice,
                leased=self._known.leased_retry(),
                default=self._descriptor.product.spans.retry_after,
            )
        self._fault = fault
        self._known.put(outcome.failed(self._known.record, fault, at, self._known.now, failures))
        return self._save_outcome()

    def _soon(self) -> int | None:
        """When to ask again because the network may not be up yet, or None."""
        problems = [tried.fault for tried in self._tried if tried.fault is not None]
        codes = [fault.code for fault in (*problems, *self._faults)]
        return schedule.soon_after_boot(self._known.now, self._situation.uptime, codes, self._dice)

    def _save_outcome(self) -> Effects:
        """Save timers and what was learned, with the state as it is judged now."""
        verdict = self._known.verdict()
        if verdict.record is not None:
            self._known.put(verdict.record)
        self.phase = Phase.SAVING
        return (Save(self._known.memory),)

    def _saved(self, event: Event) -> Effects:
        assert isinstance(event, Saved)
        return self._finish()

    def _not_saved(self, event: Event) -> Effects:
        """The disk did not take it: what is on disk is valid, and that is reported."""
        assert isinstance(event, NotSaved)
        self._known.memory = self._known.durable
        self._licence = None
        self._fault = event.fault
        return self._finish()

    def _finish(self) -> Effects:
        self.phase = Phase.DONE
        return (
            Finish(
                verdict=self._known.verdict(self._licence),
                fault=self._fault,
                renewed=self._licence is not None,
                due=True,
                tried=tuple(self._tried),
            ),
        )

    def _ignore(self, event: Event) -> Effects:
        """An event that this phase does not wait for."""
        del event
        return ()

    @property
    def memory(self) -> Memory:
        """What is remembered at this moment."""
        return self._known.memory


_Handler = Callable[[Machine, Event], Effects]
_EVENTS: Sequence[type[Event]] = (Begin, Discovered, Answered, Failed, Fetched, Saved, NotSaved)
_WAITED_FOR: Mapping[tuple[Phase, type[Event]], _Handler] = {
    (Phase.READY, Begin): Machine._begin,
    (Phase.PREPARING, Saved): Machine._prepared,
    (Phase.PREPARING, NotSaved): Machine._not_prepared,
    (Phase.DISCOVERING, Discovered): Machine._discovered_hosts,
    (Phase.ASKING, Answered): Machine._answered,
    (Phase.ASKING, Failed): Machine._silent,
    (Phase.FETCHING, Fetched): Machine._fetched,
    (Phase.FETCHING, Failed): Machine._not_fetched,
    (Phase.SAVING, Saved): Machine._saved,
    (Phase.SAVING, NotSaved): Machine._not_saved,
}
TABLE: Mapping[tuple[Phase, type[Event]], _Handler] = {
    (phase, event): _WAITED_FOR.get((phase, event), Machine._ignore)
    for phase in Phase
    for event in _EVENTS
}
"""What is done about each pair of phase and event; pairs that nobody waits for are ignored."""
