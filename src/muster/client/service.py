"""What a person or a program can do on a machine: one method for each wish.

Joins store, machine and driver, one lock for each change. Decides which product key belongs to
which product and in which order products are served; what an answer is worth stands in
`muster.client.machine`, what is licensed in `muster.client.judge`. Obeys docs/client.md.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from muster.client import bound, doctor, doubts, onetime, schedule, store
from muster.client import identity as identities
from muster.client.authority import authority
from muster.client.discovery import (
    DNS_SECONDS,
    TRY_SECONDS,
    Address,
    Candidate,
    Names,
    Source,
    names,
    not_asked,
    order,
    turn,
)
from muster.client.driver import Driver, Network, Reply, discover
from muster.client.judge import Verdict, assess, is_activation
from muster.client.line import anchor_name, walk
from muster.client.machine import Machine
from muster.client.messages import Finish, Plan, Save, Situation
from muster.client.model import Failure, Identity, Memory, Note, ProductRecord
from muster.client.papers import take_all
from muster.client.requests import Requests, Secrets
from muster.client.results import (
    Activation,
    Added,
    Discovery,
    IdentityChange,
    Imported,
    KeyChange,
    MarkReset,
    Probe,
    Readout,
    Released,
    Status,
)
from muster.client.store import Disk, Loaded, Store
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.clock import Clock, Dice
from muster.core.errors import MusterError
from muster.core.facts import clean_facts
from muster.core.identity import Fact, facts_salt, prefix_of
from muster.core.ids import ConfirmationId, parse_confirmation_id, proof_key
from muster.core.keys import Kind, ProductKey, parse_product_key
from muster.core.states import LicenceEvent, LicenceState, step
from muster.core.text import instant_text, shown_url
from muster.health.report import Report
from muster.lease.bundle import read_bundle
from muster.lease.descriptor import Descriptor, read_descriptor
from muster.lease.trust import WALK_LIMIT, Trust
from muster.wire.activation import ClientInfo
from muster.wire.exchange import (
    ConfirmationFile,
    RequestFile,
    read_publisher_file,
    read_reply,
)
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.publisher import ConfirmAnswer, ConfirmRequest, decode_confirm_answer
from muster.wire.release import ReleaseRequest
from muster.wire.routes import ACTIVATIONS, CATALOGUE, PUBLISHERS, RELEASE, TRUST
from muster.wire.status import decode_publishers

_LOG = logging.getLogger("muster.client")
_LOG.addHandler(logging.NullHandler())  # a program that configured no log gets none
_MAX_PROBED = 16


class Client:
    """One machine.

    Args:
        root: the root of stores.
        disk: where stores lie.
        network: DNS and HTTP.
        clock: the machine's clock.
        dice: the machine's dice.
        facts: reads the machine's facts; raises `facts/…` or `file/…`.
        plan: what settings say for a publisher.
        info: what the client says of itself in requests.
        boot: the id of the present boot, "" where unknown.
        uptime: seconds since the machine started, None where unknown.
    """

    def __init__(
        self,
        root: Path,
        *,
        disk: Disk,
        network: Network,
        clock: Clock,
        dice: Dice,
        facts: Callable[[], Mapping[str, str]],
        plan: Callable[[str], Plan],
        info: ClientInfo,
        boot: str = "",
        uptime: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.root = root
        self._disk = disk
        self._network = network
        self._clock = clock
        self._dice = dice
        self._read_facts = facts
        self._plan = plan
        self._info = info
        self._boot = boot
        self._uptime = uptime

    # Products and keys.

    def add_product(
        self,
        data: bytes,
        *,
        identity: str | None = None,
        given: str = "",
        with_key: bool = True,
    ) -> Added:
        """Set a product up on this machine by its descriptor.

        A product's setup key stands in its descriptor and is installed with it. Adding the same
        descriptor again changes nothing; a newer descriptor replaces the one that is there.

        Args:
            data: the descriptor; that it may be trusted was checked by who read it.
            identity: the identity mode, None for `machine` or what the publisher's store has.
            given: the operator's id for mode explicit.
            with_key: install the product's setup key.
        Raises: the errors of `read_descriptor`; `client/publisher-known`, `client/identity-…`,
            `client/no-system-uuid`, `file/…`.
        """
        descriptor = read_descriptor(data)
        product = descriptor.product
        place = self._store(descriptor.publisher)
        mode = identity or "machine"
        if (mode == "explicit") != bool(given) and (identity or given):
            raise error("client/identity-id", mode=mode)
        fresh = Secrets()
        with place.lock():
            loaded, warnings = self._load_or_anew(place)
            if loaded is None:
                identities.check_mode(mode, product.identity, product.id)
                made = identities.new_identity(
                    mode, descriptor.publisher, self._facts(), self._dice, given
                )
                fresh = Secrets().with_seed(made.identity.cmid, made.seed)
                memory = Memory(descriptor.publisher, made.identity)
            else:
                memory = loaded
                mode = memory.identity.mode if identity is None else identity
                identities.check_mode(mode, product.identity, product.id)
                if mode != memory.identity.mode or (given and given != memory.identity.given):
                    raise error("client/identity-known", mode=memory.identity.mode)
            self._same_line(place, memory, descriptor)
            record, changed = self._added(memory, descriptor, with_key=with_key)
            anchor = self._anchor_bytes(place, product.id)
            if changed or anchor != data or loaded is None:
                place.add_anchor(product.id, data)
                first = {product.id: record.added, **memory.first_added}
                memory = replace(memory.with_product(record), first_added=first)
                came = walk(descriptor.trust, memory.trust).trust.version
                if came > descriptor.trust.version:
                    memory = memory.reached(anchor_name(descriptor.trust), came)
                place.save(self._noted(memory, Audit.CLIENT_PRODUCT_ADD, product.id), fresh)
                changed = True
        return Added(
            product=product.id,
            publisher=descriptor.publisher,
            label=descriptor.trust.label,
            changed=changed,
            key=record.masked,
            state=record.state,
            identity=memory.identity.mode,
            cmid=memory.identity.cmid,
            warnings=warnings,
        )

    def _added(
        self, memory: Memory, descriptor: Descriptor, *, with_key: bool
    ) -> tuple[ProductRecord, bool]:
        product = descriptor.product
        record = memory.product(product.id)
        changed = record is None
        if record is None:
            at = memory.first_added.get(product.id, self._clock.now())
            state = step(LicenceState.UNLICENSED, LicenceEvent.PRODUCT_ADDED)
            record = ProductRecord(product=product.id, added=at, state=state, since=at)
        if with_key and product.setup_key and not record.key:
            key = parse_product_key(product.setup_key)
            record = replace(record, key=key.key_id.text, masked=key.masked)
            changed = True
        return record, changed

    def _load_or_anew(self, place: Store) -> tuple[Memory | None, tuple[MusterError, ...]]:
        """The memory; a damaged store without a good generation is kept aside and begun anew."""
        try:
            loaded = place.load()
        except MusterError as fault:
            if fault.code != "client/store-damaged":
                raise
            place.start_anew()
            return None, (fault,)
        return (None, ()) if loaded is None else (loaded.memory, loaded.warnings)

    def _same_line(self, place: Store, memory: Memory, descriptor: Descriptor) -> None:
        """Refuse a descriptor whose trust is not on one line with those that are here."""
        for product in place.products():
            try:
                other = read_descriptor(place.anchor(product))
            except MusterError:
                continue
            low, high = sorted((other.trust, descriptor.trust), key=_by_version)
            if not _leads_to(low, high, memory.trust):
                detail = f"its trust version {descriptor.trust.version} is not of the same line"
                raise error("client/publisher-known", publisher=descriptor.publisher, detail=detail)

    def _anchor_bytes(self, place: Store, product: str) -> bytes | None:
        try:
            return place.anchor(product)
        except MusterError as fault:
            if fault.code == "client/not-added":
                return None
            raise

    def remove_product(self, product: str | None = None) -> KeyChange:
        """Forget a product on this machine: its key, its licence and its descriptor.

        A lease that runs is not given back by this; `release` does that.
        """
        place, descriptor = self._one(product)
        with place.lock():
            memory = self._loaded(place).memory
            record = memory.product(descriptor.product.id)
            memory = memory.without_product(descriptor.product.id)
            place.save(self._noted(memory, Audit.CLIENT_PRODUCT_REMOVE, descriptor.product.id))
            place.remove_anchor(descriptor.product.id)
        masked = "" if record is None else record.masked
        return KeyChange(
            descriptor.product.id, descriptor.publisher, masked, True, LicenceState.UNLICENSED
        )

    def install_key(self, text: str, product: str | None = None) -> KeyChange:
        """Install a product key in place of the one that is there.

        A setup key makes this machine a client of hosts; a multiple activation, evaluation or
        retail key is activated by the publisher. The licence that runs stays until another one is
        verified.

        Raises: `key/…` for what is no product key; `client/host-key`, `client/key-group`,
            `client/which-key-product`, `client/key-publisher`, `client/key-unknown`,
            `client/no-product`, `client/conversion-…`.
        What is kept of a key does not give it back (docs/spec/01-identities.md, section 1.7.5).
        """
        key = parse_product_key(text)
        found = self._descriptors(product)
        if not found:
            raise self._no_product()
        if key.kind is Kind.HOST:
            raise error("client/host-key", masked=key.masked)
        of_publisher = [one for one in found if prefix_of(one[1].publisher) == key.prefix]
        if not of_publisher:
            labels = ", ".join(sorted({one.trust.label for _, one in found}))
            raise error("client/key-publisher", masked=key.masked, publishers=labels)
        if key.kind in onetime.KINDS:
            return self._put_key(*self._covered(key, of_publisher), key)
        for place, descriptor in of_publisher:
            if descriptor.product.setup_key == key.text:
                return self._put_key(place, descriptor, key)
        raise error("client/key-unknown", masked=key.masked)

    def _covered(
        self, key: ProductKey, found: list[tuple[Store, Descriptor]]
    ) -> tuple[Store, Descriptor]:
        """The one product that a key which activates machines once is for."""
        number = key.key_id.group
        fits = [one for one in found if any(each.number == number for each in one[1].groups)]
        if not fits:
            raise error(
                "client/key-group",
                masked=key.masked,
                product=", ".join(one.product.id for _, one in found),
                kind=key.kind.text,
                group=number,
            )
        if len(fits) > 1:
            # The key's own group says it, where only one product is of that group itself.
            own = [
                one
                for one in fits
                if any(
                    each.number == number and each.id == one[1].product.group
                    for each in one[1].groups
                )
            ]
            fits = own if len(own) == 1 else fits
        if len(fits) > 1:
            products = ", ".join(one.product.id for _, one in fits)
            raise error(
                "client/which-key-product",
                masked=key.masked,
                kind=key.kind.text,
                products=products,
            )
        place, descriptor = fits[0]
        memory = self._loaded(place).memory
        held = authority(descriptor, memory, self._clock.now())
        onetime.check_conversion(descriptor.product, key.key_id, descriptor.groups, held.catalogue)
        return place, descriptor

    def _put_key(self, place: Store, descriptor: Descriptor, key: ProductKey) -> KeyChange:
        with place.lock():
            memory = self._loaded(place).memory
            record = self._record(memory, descriptor)
            changed = record.key != key.key_id.text
            if changed:
                state = step(record.state, LicenceEvent.KEY_INSTALLED)
                since = record.since
                if state != record.state:  # back in the initial grace, which began once
                    since = record.added
                record = replace(
                    record,
                    key=key.key_id.text,
                    masked=key.masked,
                    state=state,
                    since=since,
                    next_attempt=0,
                    failures=0,
                    failure=None,
                )
                memory = self._noted(
                    memory.with_product(record), Audit.CLIENT_KEY_INSTALL, record.product
                )
            if key.kind in onetime.KINDS:
                changed = self._keep_of_key(place, memory, key, changed=changed)
            elif changed:
                place.save(memory)
        return KeyChange(
            descriptor.product.id, descriptor.publisher, key.masked, changed, record.state
        )

    def _keep_of_key(self, place: Store, memory: Memory, key: ProductKey, *, changed: bool) -> bool:
        """Save with what a machine keeps of a key (section 1.7.5); whether anything was new."""
        name = key.key_id.text
        if not changed and name in memory.salts and name in place.proofs():
            return False
        salt = facts_salt(place.publisher, key.key_id, key.tag_bytes)
        proof = proof_key(place.publisher, key.key_id, key.tag_bytes)
        place.save(memory.salted(name, salt), proofs={name: proof})
        return True

    def uninstall_key(self, product: str | None = None) -> KeyChange:
        """Remove the product key and with it the licence: the product is unlicensed then."""
        place, descriptor = self._one(product)
        with place.lock():
            memory = self._loaded(place).memory
            record = self._record(memory, descriptor)
            changed = bool(record.key)
            masked = record.masked
            if changed:
                record = replace(
                    record,
                    key="",
                    masked="",
                    licence="",
                    nonce="",
                    state=step(record.state, LicenceEvent.KEY_REMOVED),
                    since=self._clock.now(),
                    next_attempt=0,
                    failures=0,
                    failure=None,
                )
                memory = self._noted(
                    memory.with_product(record), Audit.CLIENT_KEY_REMOVE, record.product
                )
                place.save(memory)
        return KeyChange(descriptor.product.id, descriptor.publisher, masked, changed, record.state)

    def set_identity(self, mode: str, given: str = "", publisher: str = "") -> IdentityChange:
        """Choose how this machine identifies itself to a publisher.

        Every licence of the publisher on this machine ends with its old identity.
        Raises: `client/identity-…`, `client/no-system-uuid`, `id/explicit`.
        """
        if (mode == "explicit") != bool(given):
            raise error("client/identity-id", mode=mode)
        place, descriptors = self._one_publisher(publisher)
        with place.lock():
            memory = self._loaded(place).memory
            for descriptor in descriptors:
                product = descriptor.product
                identities.check_mode(mode, product.identity, product.id)
            if mode == memory.identity.mode and given == memory.identity.given:
                return IdentityChange(place.publisher, memory.identity, changed=False)
            made = identities.new_identity(mode, place.publisher, self._facts(), self._dice, given)
            # What binds licences to this store stays: they outlive a change of mode.
            identity = replace(made.identity, store_random=memory.identity.store_random)
            detail = f"{memory.identity.cmid} became {identity.cmid}"
            memory = replace(memory, identity=identity, requests=Requests())
            place.save(
                self._noted(
                    memory.with_all(next_attempt=0), Audit.CLIENT_CMID_RENEW, detail=detail
                ),
                Secrets().with_seed(identity.cmid, made.seed),
            )
        return IdentityChange(place.publisher, identity, changed=True)

    # Activation.

    def activate(
        self, product: str | None = None, *, typed: bool = True, publisher_url: str = ""
    ) -> list[Activation]:
        """Ask hosts for a lease, or the publisher for an activation; for one product or for all.

        The installed key decides which: a setup key asks hosts. A machine whose key has activated
        it already asks nobody.

        Args:
            product: a product id, None for every product that has a key.
            typed: somebody asked for it now; False tries only what is due.
            publisher_url: where the publisher's service listens; by default the setting, else what
                the descriptor says.
        Raises: `client/no-product`, `client/not-added`, `client/no-key` and what a store that
            cannot be read raises. What hosts say is told in the results.
        """
        found = self._descriptors(product)
        if not found:
            raise self._no_product()
        results: list[Activation] = []
        for place, descriptor in found:
            with place.lock():
                loaded = self._loaded(place)
                record = loaded.memory.product(descriptor.product.id)
                if product is None and len(found) > 1 and record is not None and not record.key:
                    continue
                if record is not None and onetime.is_one_time(record.key):
                    results.append(
                        self._try_once(place, descriptor, loaded, publisher_url, typed=typed)
                    )
                else:
                    results.append(self._try(place, descriptor, loaded, typed))
        if not results:
            listed = ", ".join(descriptor.product.id for _, descriptor in found)
            raise error("client/no-key", product=listed)
        return results

    def _try(self, place: Store, descriptor: Descriptor, loaded: Loaded, typed: bool) -> Activation:
        told: list[MusterError] = list(loaded.warnings)
        plan = self._plan(place.publisher)
        situation = Situation(
            descriptor=descriptor,
            memory=loaded.memory,
            facts=self._facts(),
            plan=plan,
            info=self._info,
            boot=self._boot,
            secrets=place.known_secrets(),
            uptime=self._uptime(),
        )
        machine = Machine(situation, self._dice)

        def save(effect: Save) -> None:
            place.save(effect.memory, effect.secrets)

        def tell(about: MusterError) -> None:
            told.append(about)
            _LOG.warning("%s: %s", about.code, about.what)

        finish = Driver(self._network, self._clock, save, tell).run(machine, typed=typed)
        _log_finish(descriptor, finish)
        status = self._status(place, descriptor, plan)
        return Activation(
            status, finish.fault, finish.renewed, finish.due, finish.tried, tuple(told)
        )

    # One-time activation.

    def _try_once(
        self, place: Store, descriptor: Descriptor, loaded: Loaded, url: str, *, typed: bool
    ) -> Activation:
        """Activate one product at the publisher, or look there for news when that is due."""
        told = tuple(loaded.warnings)
        facts, now, memory = self._facts(), self._clock.now(), loaded.memory
        verdict = self._judged_now(descriptor, memory, facts)
        record = self._record(memory, descriptor)
        plan = self._plan(place.publisher)
        url = url or plan.publisher_url or descriptor.url
        done = onetime.is_done(verdict)
        kept = memory
        due = schedule.is_due(record.next_attempt, now, record.scheduled)
        if (done and (typed or not url or not due)) or not (typed or due):
            settled = self._settled(place, memory, facts)
            if settled != memory:
                place.save(settled)
            return Activation(self._status(place, descriptor, plan), None, False, False, (), told)
        fault: MusterError | None = None
        try:
            if not url:
                raise error("client/no-publisher", product=descriptor.product.id)
            if done:
                memory = self._news(descriptor, memory, url)
                again = now + onetime.LOOK_AGAIN
                memory = memory.with_product(
                    replace(record, next_attempt=again, scheduled=now, last_contact=now)
                )
            else:
                kept = memory = self._remembering(place, descriptor, memory, facts)
                if not bound.lasting(memory, record.key, facts):
                    told = (*told, error("client/not-lasting", product=descriptor.product.id))
                memory = self._activated(descriptor, memory, facts, url)
        except MusterError as failed:
            fault = failed
            memory = kept
            record = onetime.after_failure(
                self._record(memory, descriptor), now, failed.code, self._uptime(), self._dice
            )
            if not done:
                record = replace(record, failure=Failure.of(failed, now))
            memory = memory.with_product(record)
            _LOG.warning("%s got no activation: %s", descriptor.product.id, failed)
        place.save(self._settled(place, memory, facts))
        status = self._status(place, descriptor, plan)
        return Activation(status, fault, fault is None and not done, True, (), told)

    def _remembering(
        self, place: Store, descriptor: Descriptor, memory: Memory, facts: tuple[Fact, ...]
    ) -> Memory:
        """The memory, saved, that knows the fact of the binding that is drawn for next.

        Saved before anybody is asked: an answer may be lost, and the next try must show the same.
        """
        key = self._record(memory, descriptor).key
        if not onetime.is_one_time(key):
            return memory
        known = bound.remembered(memory, key, bound.chosen(memory, key, facts))
        if known != memory:
            place.save(known)
        return known

    def _settled(self, place: Store, memory: Memory, facts: tuple[Fact, ...]) -> Memory:
        """The memory with the states as they are judged now, so that a grace begins once.

        Only of products whose key activates them once; the machine that asks hosts keeps its own.
        """
        for name in place.products():
            record = memory.product(name)
            if record is None:
                continue
            found = self._judged_now(read_descriptor(place.anchor(name)), memory, facts).record
            if found is None or not (is_activation(record.licence) or found.added != record.added):
                continue
            if (found.state, found.since) != (record.state, record.since):
                memory = memory.with_product(found)
        return memory

    def _activated(
        self, descriptor: Descriptor, memory: Memory, facts: tuple[Fact, ...], url: str
    ) -> Memory:
        """The memory after the publisher activated this machine online."""
        now = self._clock.now()
        proofs = self._store(memory.publisher).proofs
        digits = onetime.installation_id(descriptor, memory, facts, now, proofs).text
        answer = self._confirmed(url, digits)
        if answer is None:
            # The publisher wants newer trust first; with it the ID is another.
            memory = self._news(descriptor, memory, url)
            digits = onetime.installation_id(descriptor, memory, facts, now, proofs).text
            answer = self._confirmed(url, digits, last=True)
        assert answer is not None
        memory = take_all(descriptor, memory, answer.trust, answer.catalogue, now)
        memory, _ = onetime.accept(descriptor, memory, facts, answer.grant, now, "the publisher")
        record = self._record(memory, descriptor)
        return memory.with_product(replace(record, last_contact=now, last_attempt=now))

    def _confirmed(self, url: str, digits: str, *, last: bool = False) -> ConfirmAnswer | None:
        """The publisher's answer; None where it asks to follow trust first."""
        route = ACTIVATIONS
        reply = self._network.ask(url, route, route.path, ConfirmRequest(digits).encode())
        peer = shown_url(url)
        if reply.status == 200:
            return decode_confirm_answer(reply.body, peer)
        problem = decode_problem(reply.status, reply.body, peer, Peer.PUBLISHER)
        if problem.code == "publisher/update-trust-first" and not last:
            return None
        raise problem.error()

    def _news(self, descriptor: Descriptor, memory: Memory, url: str) -> Memory:
        """The memory with the trust and the catalogue that the publisher has now."""
        now, peer = self._clock.now(), shown_url(url)
        for _ in range(WALK_LIMIT):
            version = authority(descriptor, memory, now).trust.version + 1
            reply = self._network.ask(url, TRUST, TRUST.fill(version=str(version)), None)
            if reply.status == 404:
                break
            memory = take_all(descriptor, memory, [_document(reply, peer)], None, now)
            if authority(descriptor, memory, now).trust.version < version:
                raise error("wire/bad-answer", peer=peer, detail="its trust leads nowhere")
        reply = self._network.ask(url, CATALOGUE, CATALOGUE.path, None)
        return take_all(descriptor, memory, (), _document(reply, peer), now)

    def _judged_now(
        self, descriptor: Descriptor, memory: Memory, facts: tuple[Fact, ...]
    ) -> Verdict:
        return assess(descriptor, memory, facts, self._boot, self._clock.now())

    def installation_id(self, product: str | None = None) -> Readout:
        """What to read out, show or send to activate a product without a network.

        Raises: `client/no-key`, `client/no-one-time-key`, `client/which-product`.
        """
        place, descriptor = self._one(product) if product else self._one_waiting()
        memory, facts = self._loaded(place).memory, self._facts()
        onetime.check_waiting(descriptor, memory)
        # An ordinary user may not write the system's store; the ID is the same.
        with contextlib.suppress(MusterError), place.lock():
            memory = self._remembering(place, descriptor, self._loaded(place).memory, facts)
        now = self._clock.now()
        found = onetime.installation_id(descriptor, memory, facts, now, place.proofs)
        return Readout(
            product=descriptor.product.id,
            publisher=place.publisher,
            masked=self._record(memory, descriptor).masked,
            installation_id=found,
            request=RequestFile(place.publisher, ConfirmRequest(found.text)),
            lasting=bound.lasting(memory, self._record(memory, descriptor).key, facts),
        )

    def not_lasting(self, product: str | None = None) -> list[str]:
        """Products whose next activation would be bound to this store and not to the hardware.

        To be said before it is drawn. Raises nothing: whoever activates is told what is wrong.
        """
        try:
            facts = self._facts()
            places = [self._one(product)] if product else self._waiting()
            found = []
            for place, descriptor in places:
                memory = self._loaded(place).memory
                key = self._record(memory, descriptor).key
                done = onetime.is_done(self._judged_now(descriptor, memory, facts))
                if onetime.is_one_time(key) and not done and not bound.lasting(memory, key, facts):
                    found.append(descriptor.product.id)
        except MusterError:
            return []
        return found

    def _waiting(self) -> list[tuple[Store, Descriptor]]:
        """Products whose installed key activates them once."""
        found: list[tuple[Store, Descriptor]] = []
        for place, descriptor in self._descriptors(None):
            loaded = place.load()
            record = None if loaded is None else loaded.memory.product(descriptor.product.id)
            if record is not None and onetime.is_one_time(record.key):
                found.append((place, descriptor))
        return found

    def _one_waiting(self) -> tuple[Store, Descriptor]:
        found = self._waiting()
        if len(found) == 1:
            return found[0]
        if not found:
            return self._one(None)  # its key, or that there is none, is told
        listed = ", ".join(descriptor.product.id for _, descriptor in found)
        raise error("client/which-product", products=listed)

    def confirm(self, digits: str, product: str | None = None) -> Activation:
        """Take the confirmation ID that was read back; with several keys, the one that verifies.

        Raises: `digits/…`, `id/…`, `client/no-waiting-key`, `confirmation/…`, `licence/…`,
            `client/better-licence`, `client/conversion-…`.
        """
        confirmation = parse_confirmation_id(digits)
        return self._confirm(confirmation, [self._one(product)] if product else self._waiting())

    def _confirm(
        self, confirmation: ConfirmationId, waiting: list[tuple[Store, Descriptor]]
    ) -> Activation:
        if not waiting:
            raise error("client/no-waiting-key")
        failed: MusterError | None = None
        facts = self._facts()
        for place, descriptor in waiting:
            with place.lock():
                loaded = self._loaded(place)
                now = self._clock.now()
                try:
                    grant = onetime.rebuilt(descriptor, loaded.memory, facts, confirmation, now)
                except MusterError as fault:
                    failed = failed or fault
                    continue
                return self._keep(place, descriptor, loaded, loaded.memory, grant, "digits")
        assert failed is not None
        raise failed

    def accept_reply(self, data: bytes, product: str | None = None) -> Activation:
        """Take a reply file, or the short form of it out of a QR code.

        Nothing of it is kept unless the grant in it verifies for this machine.
        Raises: `wire/not-exchange`, `client/reply-publisher`, `client/no-waiting-key`, `trust/…`,
            `licence/…`, `confirmation/…`.
        """
        reply = read_reply(data)
        waiting = [self._one(product)] if product else self._waiting()
        if not waiting:
            raise error("client/no-waiting-key")
        waiting = [one for one in waiting if one[0].publisher == reply.publisher]
        if not waiting:
            raise error("client/reply-publisher", publisher=reply.publisher)
        if isinstance(reply, ConfirmationFile):
            return self._confirm(parse_confirmation_id(reply.confirmation_id), waiting)
        failed: MusterError | None = None
        for place, descriptor in waiting:
            with place.lock():
                loaded = self._loaded(place)
                try:
                    memory = take_all(
                        descriptor,
                        loaded.memory,
                        reply.answer.trust,
                        reply.answer.catalogue,
                        self._clock.now(),
                    )
                    return self._keep(
                        place, descriptor, loaded, memory, reply.answer.grant, "a reply file"
                    )
                except MusterError as fault:
                    failed = failed or fault
        assert failed is not None
        raise failed

    def _keep(
        self,
        place: Store,
        descriptor: Descriptor,
        loaded: Loaded,
        memory: Memory,
        grant: str,
        door: str,
    ) -> Activation:
        """Keep a grant of this machine; whether it is new is told in `renewed`."""
        now = self._clock.now()
        before = self._record(loaded.memory, descriptor).licence
        memory, licence = onetime.accept(descriptor, memory, self._facts(), grant, now, door)
        place.save(memory)
        new = licence.text != before
        if new:
            _LOG.info("%s is activated by %s", descriptor.product.id, door)
        return Activation(
            self._status(place, descriptor), None, new, True, (), tuple(loaded.warnings)
        )

    def import_publisher_file(self, data: bytes) -> Imported:
        """Take trust and catalogue out of a publisher file: news for machines without a network.

        Raises: `wire/not-exchange`, `client/reply-publisher`, `trust/…`, `catalogue/…`.
        """
        found = read_publisher_file(data)
        mine = [one for one in self._descriptors(None) if one[0].publisher == found.publisher]
        if not mine:
            raise error("client/reply-publisher", publisher=found.publisher)
        place, descriptor = mine[0]
        with place.lock():
            before = self._loaded(place).memory
            memory = take_all(descriptor, before, found.trust, found.catalogue, self._clock.now())
            memory = self._settled(place, memory, self._facts())
            changed = memory != before
            if changed:
                place.save(memory)
        held = authority(descriptor, memory, self._clock.now())
        version = 0 if held.catalogue is None else held.catalogue.version
        return Imported(place.publisher, held.trust.version, version, changed)

    def wait(
        self,
        product: str | None,
        seconds: int,
        sleep: Callable[[float], None],
        poll: float = 1.0,
    ) -> Status:
        """Wait until a product is licensed, asking hosts whenever a try is due.

        Args:
            seconds: how long; 0 looks once.
            sleep: waits some seconds.
            poll: seconds between two looks at the store, so that what another process brings
                counts too.
        Raises: `client/wait-over`, naming the last reason.
        """
        place, descriptor = self._one(product)
        end = self._clock.monotonic() + seconds
        while True:
            status = self._status(place, descriptor)
            if not status.verdict.licensed:
                status = self.activate(descriptor.product.id, typed=False)[0].status
            if status.verdict.licensed:
                return status
            left = end - self._clock.monotonic()
            if left <= 0:
                problem = status.verdict.problem
                why = "No host was asked" if problem is None else problem.what.rstrip(".")
                fix = "Run 'muster client status'" if problem is None else problem.fix.rstrip(".")
                name = descriptor.product.id
                raise error("client/wait-over", product=name, seconds=seconds, why=why, fix=fix)
            sleep(min(poll, left))

    def release(self, product: str | None = None) -> Released:
        """Give the lease of a product back to the host that gave it.

        Afterwards the product is unlicensed here; it asks again when `activate` is typed, or
        after 30 days.
        Raises: `client/nothing-to-release`, `client/no-secret`, what the host says, `net/…`.
        """
        place, descriptor = self._one(product)
        name = descriptor.product.id
        with place.lock():
            memory = self._loaded(place).memory
            record = self._record(memory, descriptor)
            if not record.licence or is_activation(record.licence):
                raise error("client/nothing-to-release", product=name)
            secrets = place.secrets()
            key = identities.machine_key(
                memory.identity, place.publisher, self._facts(), secrets.seeds
            )
            if key is None:
                raise error("client/no-secret", product=name)
            sent_at = memory.requests.next_sent_at(self._clock.now())
            memory = replace(memory, requests=replace(memory.requests, sent_at=sent_at))
            bundle = read_bundle(record.licence.encode("utf-8"))
            line = memory.requests.line
            body = ReleaseRequest(bundle, key.public.raw, line, sent_at).prove(key).body
            host = self._give_back(place.publisher, descriptor, record, body)
            record = replace(
                record,
                licence="",
                nonce="",
                state=step(LicenceState.LICENSED, LicenceEvent.LICENCE_RELEASED),
                since=self._clock.now(),
                next_attempt=self._clock.now() + schedule.LONGEST,
                scheduled=self._clock.now(),
                failure=None,
                failures=0,
            )
            place.save(
                self._noted(
                    memory.with_product(record),
                    Audit.CLIENT_LICENCE_RELEASE,
                    name,
                    f"to {host.text}",
                )
            )
        _LOG.info("released %s at %s", name, host.text)
        return Released(name, host.text)

    def _give_back(
        self, publisher: str, descriptor: Descriptor, record: ProductRecord, body: bytes
    ) -> Address:
        """Show the release to the host that gave the lease, else to each that can be found."""
        plan = self._plan(publisher)
        hosts = [one for one in (record.last_good, plan.host) if one is not None]
        fault: MusterError | None = None
        looked = plan.host is not None
        tried: set[Address] = set()
        end = self._clock.monotonic() + TRY_SECONDS
        while True:
            for place, host in enumerate(hosts):
                left = end - self._clock.monotonic()
                if host in tried or left <= 0:
                    continue
                tried.add(host)
                waiting = len(hosts) - place - 1 + (not looked)
                _, seconds = turn(left, waiting)
                try:
                    reply = self._network.call(host, RELEASE, RELEASE.path, body, seconds)
                    if reply.status == 200:
                        return host
                    peer = host.text
                    problem = decode_problem(reply.status, reply.body, peer, Peer.HOST)
                    fault = problem.error()
                except MusterError as failed:
                    fault = failed
            if looked:
                break
            looked = True
            label = descriptor.trust.label
            found, faults = discover(self._network, _asked(label, plan), self._late())
            hosts = [one.address for one in order(found, self._dice, passed=tried)]
            fault = fault or (faults[0] if faults else None)
        raise fault or error("client/no-suffix")

    def _late(self) -> Callable[[], bool]:
        """Whether DNS has had its time, counted from now."""
        end = self._clock.monotonic() + DNS_SECONDS
        return lambda: self._clock.monotonic() >= end

    # Looking.

    def statuses(self, product: str | None = None) -> list[Status]:
        """What is known of one product, or of all.

        Raises: `client/no-product`, `client/not-added`. A store that cannot be read is told in
            the verdict.
        """
        found = self._descriptors(product)
        if not found:
            raise self._no_product()
        return [self._status(place, descriptor) for place, descriptor in found]

    def status(self, product: str | None = None) -> Status:
        """What is known of one product; it must be named where there are several."""
        return self._status(*self._one(product))

    def _status(self, place: Store, descriptor: Descriptor, plan: Plan | None = None) -> Status:
        facts: tuple[Fact, ...] | MusterError
        try:
            facts = self._facts()
        except MusterError as fault:
            facts = fault
        now = self._clock.now()
        chosen = self._plan(place.publisher) if plan is None else plan
        verdict, identity = look(place, descriptor, facts, self._boot, now)
        return Status(descriptor, verdict, identity, chosen, place.folder)

    def discover(self, publisher: str = "", *, probe: bool = True) -> Discovery:
        """Show how hosts are found, and ask each what it serves.

        Changes nothing.
        """
        place, descriptors = self._one_publisher(publisher)
        label = descriptors[0].trust.label
        plan = self._plan(place.publisher)
        last_good = self._last_good(place)
        if plan.host is not None:
            return Discovery(
                publisher=place.publisher,
                label=label,
                plan=plan,
                asked=(),
                found=(),
                faults=(),
                last_good=last_good,
                probes=self._probes(
                    [Candidate(plan.host, Source.SET)], place.publisher, probe=probe
                ),
            )
        asked = _asked(label, plan)
        found, faults = discover(self._network, asked, self._late())
        if not asked:
            faults = (error("client/no-suffix"),)
        doubted = self._doubted(place)
        candidates = list(order(found, self._dice, doubted=doubted, limit=_MAX_PROBED))
        if not candidates and asked and not faults:
            listed = ", ".join(f"{one.label}, {one.general}" for one in asked)
            faults = (error("client/no-records", names=listed),)
        if plan.unasked:
            faults = (*faults, not_asked(plan.unasked))
        return Discovery(
            publisher=place.publisher,
            label=label,
            plan=plan,
            asked=asked,
            found=found,
            faults=faults,
            last_good=last_good,
            probes=tuple(
                replace(one, doubted=one.candidate.address in doubted)
                for one in self._probes(candidates, place.publisher, probe=probe)
            ),
        )

    def doctor(self) -> list[Report]:
        """Look why this machine is or is not licensed: one report for each publisher.

        Asks DNS, all hosts that it names and, where its address is known, the publisher; changes
        nothing (docs/doctor.md).
        Raises: `client/no-product`.
        """
        by_place: dict[str, list[Status]] = {}
        for one in self.statuses():
            by_place.setdefault(one.descriptor.publisher, []).append(one)
        return [
            doctor.judge(
                doctor.look(self._network, self._dice, statuses, self._clock.now(), self._late())
            )
            for statuses in by_place.values()
        ]

    def _probes(
        self, candidates: Iterable[Candidate], publisher: str, *, probe: bool
    ) -> tuple[Probe, ...]:
        return tuple(
            self._probe(one, publisher) if probe else Probe(one, None, None) for one in candidates
        )

    def _probe(self, candidate: Candidate, publisher: str) -> Probe:
        peer = candidate.address.text
        try:
            reply = self._network.call(candidate.address, PUBLISHERS, PUBLISHERS.path, None)
            if reply.status != 200:
                raise decode_problem(reply.status, reply.body, peer, Peer.HOST).error()
            served = decode_publishers(reply.body, peer)
        except MusterError as fault:
            return Probe(candidate, None, fault)
        mine = [one for one in served if one.publisher == publisher]
        return Probe(candidate, mine[0] if mine else None, None)

    def _doubted(self, place: Store) -> frozenset[Address]:
        try:
            loaded = place.load()
        except MusterError:
            return frozenset()
        held = () if loaded is None else loaded.memory.doubts
        return doubts.standing(held, self._clock.now())

    def _last_good(self, place: Store) -> Address | None:
        try:
            loaded = place.load()
        except MusterError:
            return None
        if loaded is None:
            return None
        records = sorted(loaded.memory.products.values(), key=lambda one: one.last_contact)
        known = [one.last_good for one in records if one.last_good is not None]
        return known[-1] if known else None

    def reset_clock_mark(self, publisher: str = "") -> list[MarkReset]:
        """Forget that the clock was ever ahead; logged. All publishers where none is named."""
        places = [
            Store(self.root, one, self._disk)
            for one in store.publishers(self.root, self._disk)
            if not publisher or one == publisher
        ]
        if not places:
            raise self._no_product()
        resets: list[MarkReset] = []
        for place in places:
            with place.lock():
                loaded = place.load()
                if loaded is None:
                    continue
                old = loaded.memory.clock_mark
                if old:
                    memory = replace(loaded.memory, clock_mark=0)
                    detail = f"it stood at {instant_text(old)}"
                    place.save(self._noted(memory, Audit.CLIENT_CLOCK_MARK_RESET, detail=detail))
                    _LOG.warning(
                        "the clock mark of %s was reset; it stood at %s",
                        place.publisher,
                        instant_text(old),
                    )
                resets.append(MarkReset(place.publisher, old))
        return resets

    def history(self, publisher: str = "") -> list[tuple[str, Note]]:
        """What was changed on this machine, oldest first, with the publisher that it concerns."""
        found: list[tuple[str, Note]] = []
        for one in store.publishers(self.root, self._disk):
            loaded = self._store(one).load()
            if loaded is not None and publisher in ("", one):
                found += [(one, note) for note in loaded.memory.history]
        return sorted(found, key=lambda each: each[1].at)

    def note_setting(self, publisher: str, detail: str) -> None:
        """Keep in the history that a setting was changed; of all publishers where none is named."""
        for one in store.publishers(self.root, self._disk):
            place = self._store(one)
            if publisher not in ("", one):
                continue
            with place.lock():
                memory = self._loaded(place).memory
                place.save(self._noted(memory, Audit.CLIENT_SETTING_CHANGE, detail=detail))

    def _noted(self, memory: Memory, event: Audit, product: str = "", detail: str = "") -> Memory:
        return memory.noted(self._clock.now(), event, product, detail)

    # Which store and product.

    def _store(self, publisher: str) -> Store:
        return Store(self.root, publisher, self._disk)

    def _descriptors(self, product: str | None) -> list[tuple[Store, Descriptor]]:
        """Stores and descriptors of a product, or of all; a product id may hold its publisher."""
        publisher, mark, name = (product or "").rpartition("/")
        if product is not None and not mark:
            publisher, name = "", product
        found: list[tuple[Store, Descriptor]] = []
        for one in store.publishers(self.root, self._disk):
            if publisher and one != publisher:
                continue
            place = self._store(one)
            for each in place.products():
                if product is None or each == name:
                    descriptor = read_descriptor(place.anchor(each))
                    if descriptor.publisher != one or descriptor.product.id != each:
                        detail = "it is the descriptor of another product"
                        raise error(
                            "client/store-damaged",
                            where=str(place.folder / "anchors" / f"{each}.json"),
                            detail=detail,
                        )
                    found.append((place, descriptor))
        if product is not None and not found:
            raise error("client/not-added", product=ascii(product)[1:-1][:96])
        return found

    def _one(self, product: str | None) -> tuple[Store, Descriptor]:
        found = self._descriptors(product)
        if not found:
            raise self._no_product()
        if len(found) > 1:
            listed = ", ".join(
                f"{one.publisher}/{one.product.id}" if product else one.product.id
                for _, one in found
            )
            raise error("client/which-product", products=listed)
        return found[0]

    def _one_publisher(self, publisher: str) -> tuple[Store, list[Descriptor]]:
        found = [one for one in self._descriptors(None) if publisher in ("", one[1].publisher)]
        if not found:
            raise self._no_product()
        known = {place.publisher: place for place, _ in found}
        if len(known) > 1:
            raise error("client/which-publisher", publishers=", ".join(sorted(known)))
        return found[0][0], [descriptor for _, descriptor in found]

    def _loaded(self, place: Store) -> Loaded:
        loaded = place.load()
        if loaded is None:
            where = str(place.folder / "state.json")
            raise error("client/store-damaged", where=where, detail="it is missing")
        return loaded

    def _record(self, memory: Memory, descriptor: Descriptor) -> ProductRecord:
        record = memory.product(descriptor.product.id)
        if record is None:
            raise error("client/not-added", product=descriptor.product.id)
        return record

    def _no_product(self) -> MusterError:
        return error("client/no-product", store=str(self.root))

    def _facts(self) -> tuple[Fact, ...]:
        return clean_facts(self._read_facts())


def look(
    place: Store,
    descriptor: Descriptor,
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> tuple[Verdict, Identity | None]:
    """Load a store and judge one product; a store that cannot be read is told in the verdict.

    A writer may be at work: what fails is looked at once more if the store changed meanwhile.
    """
    loaded, fault = _load(place)
    verdict = _judged(descriptor, loaded, fault, facts, boot, now)
    if not verdict.licensed:
        again, fault = _load(place)
        if again is not None and (loaded is None or again.generation != loaded.generation):
            loaded = again
            verdict = _judged(descriptor, loaded, fault, facts, boot, now)
    return verdict, None if loaded is None else loaded.memory.identity


def _load(place: Store) -> tuple[Loaded | None, MusterError | None]:
    try:
        return place.load(), None
    except MusterError as fault:
        return None, fault


def _judged(
    descriptor: Descriptor,
    loaded: Loaded | None,
    fault: MusterError | None,
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> Verdict:
    memory = None if loaded is None else loaded.memory
    warnings = () if loaded is None else loaded.warnings
    verdict = assess(descriptor, memory, facts, boot, now, warnings)
    return verdict if fault is None else replace(verdict, problem=fault)


def _document(reply: Reply, peer: str) -> str:
    """The text of a signed document. Raises: the peer's refusal."""
    if reply.status != 200:
        raise decode_problem(reply.status, reply.body, peer, Peer.PUBLISHER).error()
    # What is not ASCII is no compact JWS; the reader will say so.
    return reply.body.decode("ascii", "replace").strip()


def _asked(label: str, plan: Plan) -> tuple[Names, ...]:
    return tuple(names(label, suffix) for suffix in plan.suffixes)


def _by_version(trust: Trust) -> int:
    return trust.version


def _leads_to(low: Trust, high: Trust, line: tuple[str, ...]) -> bool:
    """Whether a higher trust stands on one line with a lower one, as far as can be seen here."""
    if low.version == high.version:
        return low.text == high.text
    reached = walk(low, (*line, high.text)).trust
    return reached.version >= high.version or low.roots == high.roots


def _log_finish(descriptor: Descriptor, finish: Finish) -> None:
    product = f"{descriptor.publisher}/{descriptor.product.id}"
    if finish.renewed:
        until = finish.verdict.until
        _LOG.info(
            "%s is licensed until %s", product, "ever" if until is None else instant_text(until)
        )
    elif finish.fault is not None:
        _LOG.warning("%s got no lease: %s: %s", product, finish.fault.code, finish.fault.what)
