"""One activation of one product, without I/O: events go in, effects come out.

`Machine.handle(event)` is the only door. It decides which host is asked next, what an answer is
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

`TABLE` has a row for every pair of phase and event; a pair that cannot happen with an honest
driver, such as the late answer of a host that was given up, is ignored there by name.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from muster.client import doubts, line, papers, schedule
from muster.client import identity as identities
from muster.client.discovery import (
    Address,
    Candidate,
    Found,
    Names,
    Source,
    names,
    not_asked,
    order,
)
from muster.client.judge import (
    Authority,
    Verdict,
    authority,
    copied,
    judge,
    must_hurry,
)
from muster.client.model import MAX_ASIDES, Aside, Failure, Memory, ProductRecord
from muster.client.requests import Requests, Secrets
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import Kind, MusterError
from muster.core.identity import Fact, nonce_of
from muster.core.states import LicenceEvent, step
from muster.lease.descriptor import Descriptor
from muster.lease.jws import MemorySigningKey
from muster.lease.notice import DUPLICATE_CMID
from muster.lease.trust import WALK_LIMIT
from muster.lease.verify import Expected, VerifiedLicence, advance_mark, verify_lease, verify_notice
from muster.wire.activation import (
    ActivationAnswer,
    ActivationRequest,
    ClientInfo,
    decode_answer,
    decode_notice,
)
from muster.wire.peer import Peer
from muster.wire.problem import Problem, decode_problem

COUNTED: Final = "host/insufficient-count"
"""The refusal that ends a try: the machine was counted, and other hosts count for themselves."""
NOT_SERVED: Final = "host/not-served"
"""The refusal that sets a host aside for this product."""
NOT_ASKED: Final = "client/not-asked"
"""What is told of a host when the time of the try was over before its turn."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What settings say: the host that was set, or None; suffixes to ask; whether the last good
    host is asked first; the address of the publisher's service, "" where none is known; suffixes
    that are too many to ask."""

    host: Address | None = None
    suffixes: tuple[str, ...] = ()
    caching: bool = True
    publisher_url: str = ""
    unasked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a try starts from. `boot` names the present boot, "" where unknown;
    `uptime` are the seconds since it, None where unknown; `secrets` what only the owner of the
    store reads."""

    descriptor: Descriptor
    memory: Memory
    facts: tuple[Fact, ...]
    plan: Plan
    info: ClientInfo
    boot: str = ""
    secrets: Secrets = field(default_factory=Secrets)
    uptime: int | None = None


# What comes in.


@dataclass(frozen=True, slots=True)
class Begin:
    """Start. `typed`: somebody asked for it now, so that no timer and no aside holds it back."""

    now: int
    typed: bool


@dataclass(frozen=True, slots=True)
class Discovered:
    """DNS was asked: what it said under each suffix, and what failed."""

    now: int
    found: tuple[Found, ...]
    faults: tuple[MusterError, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """A host answered the request `number`; `ip` is the address under which it was reached."""

    now: int
    number: int
    status: int
    body: bytes
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer to the request `number`: a host's silence, or a document that did not come."""

    now: int
    number: int
    fault: MusterError


@dataclass(frozen=True, slots=True)
class Fetched:
    """The document asked for by `number`."""

    now: int
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The store holds what was to be saved."""

    now: int


@dataclass(frozen=True, slots=True)
class NotSaved:
    """The store could not be written; what it held before stands."""

    now: int
    fault: MusterError


Event = Begin | Discovered | Answered | Failed | Fetched | Saved | NotSaved

# What goes out.


class Document(enum.Enum):
    """What a machine fetches from a host besides leases."""

    TRUST = "trust"
    CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True)
class Discover:
    """Ask DNS for both names under each suffix; answer with `Discovered`."""

    names: tuple[Names, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Send an activation request; answer with `Answered` or `Failed` of the same number.

    `waiting` hosts have their turn after this one.
    """

    number: int
    candidate: Candidate
    body: bytes
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get a document of the publisher from a host; answer with `Fetched` or `Failed`.

    `version` is the lowest trust version wanted, 0 for a catalogue.
    """

    number: int
    address: Address
    document: Document
    publisher: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Save:
    """Write the store; answer with `Saved` or `NotSaved`. `secrets` are new ones."""

    memory: Memory
    secrets: Secrets = field(default_factory=Secrets)


@dataclass(frozen=True, slots=True)
class Tell:
    """Something for the log and for whoever typed the command."""

    about: MusterError


@dataclass(frozen=True, slots=True)
class Tried:
    """One host that was asked and what came of it: None is a licence."""

    candidate: Candidate
    problem: MusterError | None


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of the try.

    `verdict` is what the product is told now; `fault` why no new lease was got, None where one
    was or where none was due; `renewed`: a new lease was verified and saved; `due`: whether
    anything was tried.
    """

    verdict: Verdict
    fault: MusterError | None
    renewed: bool
    due: bool
    tried: tuple[Tried, ...]


Effect = Discover | Ask | Fetch | Save | Tell | Finish
Effects = tuple[Effect, ...]


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
        self._descriptor = situation.descriptor
        self._memory = situation.memory
        self._durable = situation.memory
        self._authority: tuple[Memory, int, Authority] | None = None
        self._walked: tuple[tuple[str, ...], line.Walked] | None = None
        self._dice = dice
        self._now = 0
        self._typed = False
        self._number = 0
        self._queue: list[Candidate] = []
        self._discovered = False
        self._tried: list[Tried] = []
        self._candidate: Candidate | None = None
        self._nonce = ""
        self._line: tuple[str, ...] = ()
        self._answer: ActivationAnswer | Problem | None = None
        self._raw = b""
        self._ip = ""
        self._steps = 0
        self._unwanted: set[Document] = set()
        self._noticed = False
        self._fetching: Document | None = None
        self._faults: tuple[MusterError, ...] = ()
        self._fault: MusterError | None = None
        self._licence: VerifiedLicence | None = None
        self._secrets = situation.secrets
        self._key: MemorySigningKey | None = None

    def handle(self, event: Event) -> Effects:
        """Take one event and say what is to be done.

        Raises:
            MusterError: only for `Begin`, where the try cannot start: `client/no-key`,
                `client/identity-mode`, `client/no-system-uuid`, `client/no-facts`. Whatever a
                host or DNS says raises nothing.
        """
        self._now = event.now
        return TABLE[self.phase, type(event)](self, event)

    # Begin.

    def _begin(self, event: Event) -> Effects:
        assert isinstance(event, Begin)
        self._typed = event.typed
        record = self._require_record()
        product = self._descriptor.product
        identity = self._memory.identity
        identities.check_mode(identity.mode, product.identity, product.id)
        now_identity = identities.present(
            identity, self._memory.publisher, self._situation.facts, self._situation.boot
        )
        self._memory = replace(self._memory, identity=now_identity)
        if not self._fingerprint() and identity.mode != "explicit":
            raise error("client/no-facts")
        self._adopt_line(line.ordered(self._memory.trust), self._held().walked)
        elsewhere = copied(self._memory, self._fingerprint())
        verdict = self._verdict()
        if not event.typed and not self._due(verdict) and not elsewhere:
            self.phase = Phase.DONE
            return (Finish(verdict, None, renewed=False, due=False, tried=()),)
        aside = () if event.typed else self._standing_asides(record)
        self._put(replace(record, aside=aside, last_attempt=self._now))
        publisher, facts = self._memory.publisher, self._situation.facts
        if elsewhere and identity.mode == "machine":
            made = identities.renewed(now_identity, publisher, facts, self._dice)
            told = error("client/new-identity", old=now_identity.cmid, new=made.identity.cmid)
            return (Tell(told), *self._adopt(made))
        self._key = identities.machine_key(now_identity, publisher, facts, self._secrets.seeds)
        if self._key is None:
            # The store lost its key: nobody can ask in the name of the old CMID any more.
            lost = identities.rekeyed(now_identity, publisher, self._situation.boot, self._dice)
            if lost is not None:
                told = error("client/key-lost", old=now_identity.cmid, new=lost.identity.cmid)
                return (Tell(told), *self._adopt(lost))
        if now_identity != identity:
            self._renamed()
        return self._prepare()

    def _require_record(self) -> ProductRecord:
        product = self._descriptor.product.id
        record = self._memory.product(product)
        if record is None:
            raise error("client/not-added", product=product)
        if not record.key:
            raise error("client/no-key", product=product)
        return record

    def _due(self, verdict: Verdict) -> bool:
        record = self._record()
        if schedule.is_due(record.next_attempt, self._now, record.scheduled):
            return True
        rested = not 0 <= self._now - record.last_attempt < schedule.SHORTEST
        return must_hurry(verdict) and rested

    def _standing_asides(self, record: ProductRecord) -> tuple[Aside, ...]:
        """Asides that still hold; one further ahead than any was set by another clock."""
        latest = self._now + schedule.ASIDE
        return tuple(one for one in record.aside if self._now < one.until <= latest)

    def _adopt(self, made: identities.Made) -> Effects:
        """Take another identity; the try goes on when it is saved."""
        self._memory = replace(self._memory, identity=made.identity)
        self._renamed()
        self._key = MemorySigningKey(made.seed)
        self._secrets = self._secrets.with_seed(made.identity.cmid, made.seed)
        return self._prepare()

    def _renamed(self) -> None:
        """Note that the CMID is another one; it has made no request yet."""
        detail = f"{self._durable.identity.cmid} became {self._memory.identity.cmid}"
        memory = self._memory.noted(self._now, Audit.CLIENT_CMID_RENEW, detail=detail)
        self._memory = replace(memory.with_all(next_attempt=0), requests=Requests())

    def _prepare(self) -> Effects:
        """Draw the nonce of this try and save it before any host sees it."""
        requests = self._memory.requests
        self._line = requests.line
        self._nonce = nonce_of(self._dice.token(16))
        sending = requests.sending(self._nonce, self._now)
        self._memory = replace(self._memory, requests=sending)
        self.phase = Phase.PREPARING
        return (Save(self._memory, self._secrets),)

    def _prepared(self, event: Event) -> Effects:
        assert isinstance(event, Saved)
        self._durable = self._memory
        if self._candidate is not None:  # after a notice: the same host once more
            return self._ask(self._candidate)
        return self._start()

    def _not_prepared(self, event: Event) -> Effects:
        assert isinstance(event, NotSaved)
        self._memory = self._durable
        self._fault = event.fault
        return self._finish()

    # Which host.

    def _start(self) -> Effects:
        plan, record = self._situation.plan, self._record()
        if plan.host is not None:
            self._discovered = True
            self._queue = [Candidate(plan.host, Source.SET)]
        elif (
            plan.caching
            and record.last_good is not None
            and record.last_good not in self._set_aside()
            and not (plan.suffixes and record.last_good in self._doubted())
        ):
            self._queue = [Candidate(record.last_good, Source.LAST)]
        return self._next()

    def _next(self) -> Effects:
        if self._queue:
            return self._ask(self._queue.pop(0))
        if self._discovered:
            return self._give_up()
        self._discovered = True
        suffixes = self._situation.plan.suffixes
        if not suffixes:
            self._faults = (error("client/no-suffix"),)
            return self._give_up()
        label = self._descriptor.trust.label
        self.phase = Phase.DISCOVERING
        asked = Discover(tuple(names(label, suffix) for suffix in suffixes))
        unasked = self._situation.plan.unasked
        return (Tell(not_asked(unasked)), asked) if unasked else (asked,)

    def _discovered_hosts(self, event: Event) -> Effects:
        assert isinstance(event, Discovered)
        self._faults = event.faults
        tried = {one.candidate.address for one in self._tried}
        passed, doubted = tried | self._set_aside(), self._doubted()
        found = order(event.found, self._dice, passed=passed, doubted=doubted)
        self._queue = list(found)
        last = self._record().last_good
        named = {one.address for one in found}
        if self._situation.plan.caching and last is not None and last in doubted - passed - named:
            self._queue.append(Candidate(last, Source.LAST))
        if not self._queue and not event.faults:
            self._faults = (self._nothing_found(event),)
        return self._next()

    def _nothing_found(self, event: Discovered) -> MusterError:
        asides = self._set_aside()
        if asides:
            hosts = ", ".join(sorted(one.text for one in asides))
            return error("client/all-aside", hosts=hosts, product=self._descriptor.product.id)
        plan = self._situation.plan
        asked = [names(self._descriptor.trust.label, suffix) for suffix in plan.suffixes]
        listed = ", ".join(f"{one.label}, {one.general}" for one in asked)
        return error("client/no-records", names=listed)

    def _set_aside(self) -> set[Address]:
        return {one.address for one in self._record().aside}

    def _doubted(self) -> frozenset[Address]:
        return doubts.standing(self._memory.doubts, self._now)

    def _doubt(self, address: Address) -> None:
        found = doubts.doubted(self._memory.doubts, address, self._now)
        self._memory = replace(self._memory, doubts=found)

    def _trust_again(self, address: Address) -> None:
        self._memory = replace(self._memory, doubts=doubts.trusted(self._memory.doubts, address))

    # Ask.

    def _ask(self, candidate: Candidate) -> Effects:
        self._candidate = candidate
        self._number += 1
        self._answer = None
        self._steps = 0
        self._unwanted = set()
        identity = self._memory.identity
        assert self._key is not None
        request = ActivationRequest(
            publisher=self._memory.publisher,
            product=self._descriptor.product.id,
            cmid=identity.cmid,
            key=self._key.public.raw,
            nonce=self._nonce,
            line=self._line,
            fingerprint=self._fingerprint(),
            identity=identity.mode,
            state=int(self._verdict().state),
            sent_at=self._memory.requests.sent_at,
            client=self._situation.info,
        ).prove(self._key)
        self.phase = Phase.ASKING
        waiting = len(self._queue)
        if not self._discovered and self._situation.plan.suffixes:
            waiting += 1
        return (Ask(self._number, candidate, request.body, waiting),)

    def _silent(self, event: Event) -> Effects:
        assert isinstance(event, Failed)
        if event.number != self._number:
            return ()
        return self._strike(event.fault)

    def _answered(self, event: Event) -> Effects:
        assert isinstance(event, Answered)
        if event.number != self._number or self._candidate is None:
            return ()
        peer = self._candidate.address.text
        self._raw, self._ip = event.body, event.ip
        try:
            if event.status == 200:
                self._answer = decode_answer(event.body, peer)
            else:
                self._answer = decode_problem(event.status, event.body, peer, Peer.HOST)
        except MusterError as fault:
            return self._strike(fault)
        return self._fetch_next()

    def _strike(self, fault: MusterError) -> Effects:
        """This host gave nothing that can be used: go to the next one."""
        assert self._candidate is not None
        if fault.code not in (NOT_SERVED, NOT_ASKED):
            self._doubt(self._candidate.address)
        self._tried.append(Tried(self._candidate, fault))
        self._candidate = None
        return self._next()

    # Follow trust and catalogue from the host that named newer ones.

    def _fetch_next(self) -> Effects:
        assert self._candidate is not None
        assert self._answer is not None
        held = self._held()
        wanted: Document | None = None
        version = 0
        catalogue = 0 if held.catalogue is None else held.catalogue.version
        if (
            self._answer.trust > held.trust.version
            and Document.TRUST not in self._unwanted
            and self._steps < WALK_LIMIT
        ):
            wanted, version = Document.TRUST, held.trust.version + 1
        elif self._answer.catalogue > catalogue and Document.CATALOGUE not in self._unwanted:
            wanted = Document.CATALOGUE
        if wanted is None:
            return self._conclude()
        self._number += 1
        self._fetching = wanted
        self.phase = Phase.FETCHING
        publisher = self._memory.publisher
        return (Fetch(self._number, self._candidate.address, wanted, publisher, version),)

    def _fetched(self, event: Event) -> Effects:
        assert isinstance(event, Fetched)
        if event.number != self._number:
            return ()
        try:
            if self._fetching is Document.TRUST:
                self._take_trust(event.text)
            else:
                self._take_catalogue(event.text)
        except MusterError as fault:
            self._unwanted.add(self._fetching or Document.CATALOGUE)
            return (Tell(fault), *self._fetch_next())
        return self._fetch_next()

    def _not_fetched(self, event: Event) -> Effects:
        assert isinstance(event, Failed)
        if event.number != self._number:
            return ()
        self._unwanted.add(self._fetching or Document.CATALOGUE)
        return (Tell(event.fault), *self._fetch_next())

    def _take_trust(self, text: str) -> None:
        self._memory, walked = papers.take_trust(self._memory, self._held(), text, self._now)
        self._steps += 1
        self._walked = (self._memory.trust, walked)

    def _adopt_line(self, texts: tuple[str, ...], walked: line.Walked) -> None:
        """Keep ordered trust objects without those that no walk needs, and how far ours came."""
        self._memory = papers.keep_line(self._memory, texts, walked)
        self._walked = (self._memory.trust, walked)

    def _take_catalogue(self, text: str) -> None:
        self._unwanted.add(Document.CATALOGUE)
        self._memory = papers.take_catalogue(self._memory, self._held(), text, self._now)

    # What the answer is worth.

    def _conclude(self) -> Effects:
        if isinstance(self._answer, ActivationAnswer):
            return self._conclude_lease(self._answer)
        assert isinstance(self._answer, Problem)
        return self._conclude_problem(self._answer)

    def _conclude_lease(self, answer: ActivationAnswer) -> Effects:
        assert self._candidate is not None
        held = self._held()
        try:
            if held.problem is not None:
                raise held.problem
            licence = verify_lease(answer.bundle.encode(), self._expected(fresh=True))
        except MusterError as fault:
            return self._strike(fault)
        nonce = self._nonce
        self._licence = licence
        record = self._record()
        renew_at = self._now if licence.renew_at is None else licence.renew_at
        self._put(
            replace(
                record,
                state=step(record.state, LicenceEvent.LEASE_ACCEPTED),
                since=licence.issued,
                licence=licence.text,
                nonce=nonce,
                last_good=self._candidate.address,
                last_ip=self._ip,
                last_contact=self._now,
                next_attempt=schedule.renewal(renew_at, licence.expires, self._now, self._dice),
                scheduled=self._now,
                failures=0,
                failure=None,
                aside=(),
                count=licence.count,
                need=licence.need,
            )
        )
        self._trust_again(self._candidate.address)
        identity = replace(self._memory.identity, made_on=self._fingerprint())
        mark = advance_mark(held.clock_mark, licence.issued, self._now)
        requests = self._memory.requests.answered(nonce, self._candidate.address.text)
        self._memory = replace(
            self._memory, identity=identity, clock_mark=mark, requests=requests
        ).noted(
            self._now,
            Audit.CLIENT_LICENCE_ACCEPT,
            licence.product,
            f"by {self._candidate.address.text}",
        )
        self._tried.append(Tried(self._candidate, None))
        self.phase = Phase.SAVING
        return (Save(self._memory, self._secrets),)

    def _conclude_problem(self, problem: Problem) -> Effects:
        assert self._candidate is not None
        record = replace(self._record(), last_contact=self._now)
        self._put(record)
        if problem.code == DUPLICATE_CMID:
            return self._conclude_duplicate(problem)
        if problem.code == NOT_SERVED:
            one = Aside(self._candidate.address, self._now + schedule.ASIDE)
            self._put(replace(record, aside=(*record.aside, one)[-MAX_ASIDES:]))
            return self._strike(problem.error())
        if problem.code == COUNTED:
            self._trust_again(self._candidate.address)
            count, need = problem.number("count"), problem.number("need")
            self._put(replace(record, count=count, need=need))
            fault = problem.error()
            self._tried.append(Tried(self._candidate, fault))
            return self._refused(fault, problem.number("retry_after"))
        return self._strike(problem.error())

    def _conclude_duplicate(self, problem: Problem) -> Effects:
        """A host says that another machine has this CMID: heeded only signed, once, and rarely."""
        assert self._candidate is not None
        peer = self._candidate.address.text
        try:
            if problem.notice is None:
                raise error("client/unsigned-notice", peer=peer)
            bundle = decode_notice(problem.notice, peer)
            notice = verify_notice(bundle.encode(), self._expected(fresh=True))
        except MusterError as fault:
            return (Tell(fault), *self._strike(_unheeded(fault, peer)))
        identity = self._memory.identity
        unheeded: MusterError | None = None
        if notice.code != DUPLICATE_CMID or self._noticed:
            unheeded = problem.error()
        elif not identities.may_heed_notice(identity, self._now):
            unheeded = error("client/notice-too-soon", cmid=identity.cmid)
        made = identities.after_notice(
            identity, self._memory.publisher, self._situation.boot, self._now, self._dice
        )
        if made is None:
            unheeded = error("client/duplicate-explicit", id=identity.given)
        if unheeded is not None or made is None:
            # A host under the publisher's grant said it: no other host is asked instead.
            assert unheeded is not None
            self._tried.append(Tried(self._candidate, unheeded))
            return self._refused(unheeded, None)
        self._noticed = True
        told = error("client/new-cmid", old=identity.cmid, new=made.identity.cmid, peer=peer)
        return (Tell(told), *self._adopt(made))

    # The end.

    def _refused(self, fault: MusterError, offered: int | None) -> Effects:
        record = self._record()
        leased = self._leased_retry()
        default = self._descriptor.product.spans.retry_after
        at = schedule.after_refusal(
            self._now, self._dice, leased=leased, default=default, offered=offered
        )
        self._fault = fault
        self._put(
            replace(
                record,
                next_attempt=at,
                scheduled=self._now,
                failures=0,
                failure=Failure.of(fault, self._now),
            )
        )
        return self._save_outcome()

    def _give_up(self) -> Effects:
        fault = self._why_nobody()
        record = self._record()
        failures = record.failures
        at = self._soon()
        if at is None:
            failures += 1
            at = schedule.after_silence(
                self._now,
                failures,
                self._dice,
                leased=self._leased_retry(),
                default=self._descriptor.product.spans.retry_after,
            )
        self._fault = fault
        self._put(
            replace(
                record,
                next_attempt=at,
                scheduled=self._now,
                failures=failures,
                failure=Failure.of(fault, self._now),
            )
        )
        return self._save_outcome()

    def _soon(self) -> int | None:
        """When to ask again because the network may not be up yet, or None."""
        problems = [one.problem for one in self._tried if one.problem is not None]
        codes = [one.code for one in (*problems, *self._faults)]
        return schedule.soon_after_boot(self._now, self._situation.uptime, codes, self._dice)

    def _why_nobody(self) -> MusterError:
        """The one error that tells why no host gave a lease."""
        problems = [one for one in self._tried if one.problem is not None]
        if not problems:
            return self._faults[0] if self._faults else error("client/no-records", names="none")
        if len(problems) == 1 and problems[0].problem is not None:
            return problems[0].problem
        listed = "; ".join(
            f"{one.candidate.address.text}: {one.problem.code}: {one.problem.what.rstrip('.')}"
            for one in problems
            if one.problem is not None
        )
        spoke = any(
            one.problem is not None and one.problem.row.kind is not Kind.FAULT for one in problems
        )
        code = "client/no-licence" if spoke else "client/no-host"
        tried = [one for one in problems if one.problem and one.problem.code != NOT_ASKED]
        return error(code, hosts=listed, tried=len(tried))

    def _leased_retry(self) -> int | None:
        """The retry interval of the lease that runs, or None."""
        licence = self._verdict().licence
        return None if licence is None else licence.retry_after

    def _save_outcome(self) -> Effects:
        """Save timers and what was learned, with the state as it is judged now."""
        verdict = self._verdict()
        if verdict.record is not None:
            self._put(verdict.record)
        self.phase = Phase.SAVING
        return (Save(self._memory),)

    def _saved(self, event: Event) -> Effects:
        assert isinstance(event, Saved)
        return self._finish()

    def _not_saved(self, event: Event) -> Effects:
        """The disk did not take it: what stands on disk is what holds, and that is told."""
        assert isinstance(event, NotSaved)
        self._memory = self._durable
        self._licence = None
        self._fault = event.fault
        return self._finish()

    def _finish(self) -> Effects:
        self.phase = Phase.DONE
        return (
            Finish(
                verdict=self._verdict(),
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

    # What everything above asks.

    @property
    def memory(self) -> Memory:
        """What is remembered at this moment."""
        return self._memory

    def _record(self) -> ProductRecord:
        return self._memory.products[self._descriptor.product.id]

    def _put(self, record: ProductRecord) -> None:
        self._memory = self._memory.with_product(record)

    def _fingerprint(self) -> tuple[str, ...]:
        return identities.fingerprint(self._memory.identity, self._situation.facts)

    def _verdict(self) -> Verdict:
        return judge(
            self._descriptor,
            self._memory,
            self._fingerprint(),
            self._now,
            held=self._held(),
            facts=self._situation.facts,
        )

    def _held(self) -> Authority:
        """Trust and catalogue as reached from the descriptor; a walk is never done twice."""
        known = self._authority
        if known is not None and known[1] == self._now and _same_papers(known[0], self._memory):
            return known[2]
        walk = self._walked
        walked = walk[1] if walk is not None and walk[0] is self._memory.trust else None
        found = authority(self._descriptor, self._memory, self._now, walked)
        self._walked = (self._memory.trust, found.walked)
        self._authority = (self._memory, self._now, found)
        return found

    def _expected(self, *, fresh: bool) -> Expected:
        held = self._held()
        return Expected(
            descriptor=self._descriptor,
            trust=held.trust,
            now=self._now,
            catalogue=held.catalogue,
            cmid=self._memory.identity.cmid,
            identity=self._memory.identity.mode,
            nonce=self._nonce,
            fingerprint=self._fingerprint(),
            clock_mark=held.clock_mark,
            fresh=fresh,
        )


def _same_papers(one: Memory, other: Memory) -> bool:
    """Whether two memories give the same authority."""
    return (
        one.trust is other.trust
        and one.catalogue is other.catalogue
        and one.trust_marks == other.trust_marks
        and one.catalogue_mark == other.catalogue_mark
        and one.clock_mark == other.clock_mark
    )


def _unheeded(fault: MusterError, peer: str) -> MusterError:
    """Why a notice is not heeded: it was unsigned, or its signature or claims do not hold."""
    if fault.code == "client/unsigned-notice":
        return fault
    return error("client/false-notice", peer=peer, code=fault.code)


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
