"""Three lines for an application: is this product licensed here, until when, and why not.

    from muster.client import licence
    found = licence("/usr/share/contoso/desktop.descriptor.json")
    print(found.licensed, found.until, found.why)

Decides nothing: it joins the descriptor of the application, the store, the facts and the clock,
and asks `muster.client.judge`. It never raises for a missing or bad licence: it tells. What the
application does with the answer is the application's (docs/embedding.md).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from muster.core.errors import MusterError
from muster.core.states import GRACES, LicenceState
from muster.core.text import as_datetime
from muster.core.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from muster.client.judge import Verdict
    from muster.client.service import Client
    from muster.client.stores import Parts
    from muster.core.identity import Fact
    from muster.lease.descriptor import Descriptor
    from muster.wire.activation import ClientInfo


@dataclass(frozen=True, slots=True)
class Licence:
    """What an application is told of one product on this machine.

    `licensed`: a licence runs that was verified just now. `until`: when that licence or the
    running grace ends, aware UTC; None for a licence for ever, and where nothing runs. `why`: the
    reason why there is no licence, an error of the catalogue with `code`, `what`, `why` and
    `fix`; None while licensed. `state` is one of the seven licence states, its numbers as
    `muster client status` shows them. `warnings` should be looked at by an administrator.
    `product` and `publisher` are ids, "" where the descriptor could not be read; `features` are
    those that the descriptor lists, after a conversion those of what the build became. `kind`
    tells what the licence is: "lease" of a host, "mak" or "retail" of this one machine,
    "evaluation"; "" without a licence.
    """

    product: str
    publisher: str
    licensed: bool
    state: LicenceState
    until: datetime | None
    why: MusterError | None
    warnings: tuple[MusterError, ...]
    features: tuple[str, ...]
    kind: str = ""

    def __bool__(self) -> bool:
        """Whether the product is licensed."""
        return self.licensed

    @property
    def in_grace(self) -> bool:
        """Whether no licence runs but a grace does: the product should work and remind."""
        return not self.licensed and self.state in GRACES

    @property
    def text(self) -> str:
        """The state and the reason in one line for people."""
        if self.why is None:
            return self.state.text
        return f"{self.state.text}: {self.why.what} {self.why.fix}"


def licence(
    descriptor: bytes | str | os.PathLike[str],
    *,
    store: str | os.PathLike[str] | None = None,
    facts: str | os.PathLike[str] | None = None,
    trusted: bool = False,
) -> Licence:
    """Look whether a product is licensed on this machine. Asks nobody and changes nothing.

    Args:
        descriptor: the product descriptor: bytes that are part of the program, or a file that
            only root and this user can write.
        store: the root of stores, None for the one that every program of the machine uses.
        facts: the facts file, None for the machine's own.
        trusted: take the descriptor's file whatever its rights; the caller answers for it.
    Returns:
        The answer, whatever happened.
    """
    try:
        return _evaluate(_descriptor(descriptor, trusted), store, facts)
    except MusterError as fault:
        return _unknown(fault)
    except OSError as fault:
        return _unknown(_translated(fault))


def activate(
    descriptor: bytes | str | os.PathLike[str],
    *,
    store: str | os.PathLike[str] | None = None,
    facts: str | os.PathLike[str] | None = None,
    trusted: bool = False,
    if_due: bool = False,
) -> Licence:
    """Set the product up where it is not, ask for a licence, and look.

    A host is asked, or with a key that activates a machine once the publisher, at the address of
    the settings or the descriptor. It uses the network and may take a minute; an application calls
    it from a thread of its own, or leaves it to the machine's scheduled
    `muster client activate --if-due`.

    Args:
        if_due: ask only when the schedule of the machine says so.
        descriptor, store, facts, trusted: as `licence`.
    Returns:
        The answer, whatever happened. A try that failed is told in `why`, or, while an earlier
        licence runs, in `warnings`.
    """
    from muster.core.values import replace

    if store is None and _asked_agent(descriptor, trusted, if_due=if_due):
        return licence(descriptor, facts=facts, trusted=trusted)
    try:
        data = _descriptor_bytes(descriptor, trusted)
        client = system_client(store=store, facts=facts)
        added = client.add_product(data)
        name = f"{added.publisher}/{added.product}"
        results = client.activate(name, typed=not if_due)
        outcome = _with_store_warning(_licence_of(results[0].status.verdict), store)
        fault = results[0].fault
    except MusterError as failure:
        return _failed(descriptor, trusted, store, facts, failure)
    except OSError as failure:
        return _failed(descriptor, trusted, store, facts, _translated(failure))
    if fault is None:
        return outcome
    if outcome.licensed:
        return replace(outcome, warnings=(*outcome.warnings, fault))
    return replace(outcome, why=fault)


def _translated(fault: OSError) -> MusterError:
    """A refusal of the system that nobody below expected: an application is told, and not ended."""
    from muster.system.files import translate

    return translate(fault, os.fspath(fault.filename or "(unknown)"))


def system_client(
    *,
    store: str | os.PathLike[str] | None = None,
    facts: str | os.PathLike[str] | None = None,
    nameservers: tuple[str, ...] | None = None,
) -> Client:
    """The client of this machine as programs use it. Args, Raises: as `system_parts`."""
    from muster.client.service import Client

    return Client(system_parts(store=store, facts=facts, nameservers=nameservers))


def system_parts(
    *,
    store: str | os.PathLike[str] | None = None,
    facts: str | os.PathLike[str] | None = None,
    nameservers: tuple[str, ...] | None = None,
) -> Parts:
    """What wishes and questions on this machine work with, with settings applied.

    Args:
        store: the root of stores, None for the one that every program of the machine uses.
        facts: the facts file, None for the machine's own.
        nameservers: DNS servers in place of those of the settings.
    Raises: `settings/…` and `file/toml` for settings that are wrong.
    """
    from muster.client.disk import SystemDisk
    from muster.client.network import SystemNetwork
    from muster.client.settings import load, plan_for
    from muster.client.stores import Parts
    from muster.system.clock import SystemClock
    from muster.system.entropy import SystemDice
    from muster.system.facts import boot_id, read_facts, uptime

    root = _root(store)
    chosen = load(root)
    asked = chosen.texts("nameserver") if nameservers is None else nameservers
    return Parts(
        root=root,
        disk=SystemDisk(),
        network=SystemNetwork(
            asked,
            float(chosen.integer("timeout")),
            ca_file=chosen.text("ca_file"),
            host_tls=chosen.flag("host_tls"),
        ),
        clock=SystemClock(),
        dice=SystemDice(),
        read_facts=lambda: read_facts(facts, environ={}),
        plan=lambda publisher: plan_for(root, publisher),
        info=_info(named=chosen.flag("send_name")),
        boot=boot_id(),
        uptime=uptime,
    )


def _evaluate(
    anchor: Descriptor,
    store: str | os.PathLike[str] | None,
    facts: str | os.PathLike[str] | None,
) -> Licence:
    from muster.client.disk import SystemDisk
    from muster.client.present import load_verdict
    from muster.client.store import Store
    from muster.core.facts import clean_facts
    from muster.system.clock import SystemClock
    from muster.system.facts import boot_id, read_facts

    known: tuple[Fact, ...] | MusterError
    try:
        known = clean_facts(read_facts(facts, environ={}))
    except MusterError as fault:
        known = fault
    now = SystemClock().now()
    try:
        publisher_store = Store(_root(store), anchor.publisher, SystemDisk())
    except MusterError:
        shared = None if store is not None else _shared(anchor, now)
        if shared is None:
            raise
        return _licence_of(shared)
    verdict, _ = load_verdict(publisher_store, anchor, known, boot_id(), now)
    if verdict.record is None and store is None:
        verdict = _shared(anchor, now) or verdict
    return _with_store_warning(_licence_of(verdict), store)


def _shared(anchor: Descriptor, now: int) -> Verdict | None:
    """What the agent of this machine shows of a product that no store here has: a container's
    licence is that of its node. None where there is no agent, or it does not have the product.

    Source: docs/spec/14-agent.md, section 14.7.
    """
    from muster.client.agent import Agent

    agent = Agent()
    if not agent.is_there:
        return None
    from muster.client.shared import refused, verdict_of
    from muster.system.files import is_folder
    from muster.system.paths import places
    from muster.wire.agent import EVIDENCE

    path = EVIDENCE.fill(publisher=anchor.publisher, product=anchor.product.id)
    try:
        return verdict_of(anchor, agent.ask(EVIDENCE, path), now)
    except MusterError as fault:
        # On the machine itself the store says what there is, whatever is wrong with the agent.
        if fault.code == "client/not-added" or is_folder(places(environ={}).system_store):
            return None
        return refused(anchor, fault, now)


def _asked_agent(
    descriptor: bytes | str | os.PathLike[str], trusted: bool, *, if_due: bool
) -> bool:
    """Whether the agent of this machine has the product and was asked for a licence: where this
    user may not write the system's store, or this is a container without one.

    Soft: whatever is wrong with the agent, the caller goes on as if there were none.
    """
    from muster.client.agent import ANSWER_SECONDS, Agent, encode_wish
    from muster.system.paths import places
    from muster.wire.agent import ACTIVATE, EVIDENCE

    system, agent = places(environ={}, home=Path("/")).system_store, Agent()
    if not agent.is_there or os.access(system, os.W_OK):
        return False
    try:
        anchor = _descriptor(descriptor, trusted)
        agent.ask(EVIDENCE, EVIDENCE.fill(publisher=anchor.publisher, product=anchor.product.id))
        if not if_due:
            wish = encode_wish(product=f"{anchor.publisher}/{anchor.product.id}")
            agent.ask(ACTIVATE, body=wish, seconds=ANSWER_SECONDS)
    except MusterError:
        return False
    return True


def _root(store: str | os.PathLike[str] | None) -> Path:
    """The root of stores of an application: a variable does not put another in place of the
    system's."""
    from muster.system.paths import displaced_store, store_root

    system = displaced_store() if store is None else None
    return store_root(None if store is None else os.fspath(store)) if system is None else system


def _with_store_warning(outcome: Licence, store: str | os.PathLike[str] | None) -> Licence:
    from muster.core.catalogue import error
    from muster.core.values import replace
    from muster.system.paths import STORE_VARIABLE, displaced_store

    system = displaced_store() if store is None else None
    if system is None:
        return outcome
    named = os.environ[STORE_VARIABLE]
    warning = error("client/store-variable", path=named, system=str(system))
    return replace(outcome, warnings=(*outcome.warnings, warning))


def _descriptor_bytes(descriptor: bytes | str | os.PathLike[str], trusted: bool) -> bytes:
    from muster.lease.strict import DESCRIPTOR
    from muster.system.textfile import plain, read_text_anchor

    if isinstance(descriptor, bytes):
        return plain(descriptor)
    return read_text_anchor(descriptor, DESCRIPTOR.bytes, trusted=trusted)


def _descriptor(descriptor: bytes | str | os.PathLike[str], trusted: bool) -> Descriptor:
    from muster.lease.descriptor import read_descriptor

    return read_descriptor(_descriptor_bytes(descriptor, trusted))


def _licence_of(verdict: Verdict) -> Licence:
    return Licence(
        product=verdict.product.id,
        publisher=verdict.publisher,
        licensed=verdict.licensed,
        state=verdict.state,
        until=None if verdict.until is None else as_datetime(verdict.until),
        why=verdict.fault if not verdict.licensed else None,
        warnings=verdict.warnings,
        features=verdict.product.features,
        kind="" if verdict.licence is None else verdict.licence.kind,
    )


def _unknown(fault: MusterError) -> Licence:
    return Licence("", "", False, LicenceState.UNLICENSED, None, fault, (), ())


def _failed(
    descriptor: bytes | str | os.PathLike[str],
    trusted: bool,
    store: str | os.PathLike[str] | None,
    facts: str | os.PathLike[str] | None,
    fault: MusterError,
) -> Licence:
    """What holds after a try that could not even begin."""
    from muster.core.values import replace

    outcome = licence(descriptor, store=store, facts=facts, trusted=trusted)
    if outcome.licensed:
        return replace(outcome, warnings=(*outcome.warnings, fault))
    return replace(outcome, why=fault)


def _info(*, named: bool) -> ClientInfo:
    """What requests say of this machine; its name only where settings leave it in."""
    import platform

    from muster import __version__
    from muster.system.facts import virtual
    from muster.wire.activation import ClientInfo
    from muster.wire.codec import name_for_people

    name = f"{platform.system()} {platform.release()} {platform.machine()}"
    shown = "".join(character if " " <= character <= "~" else "?" for character in name)[:64]
    own = name_for_people(platform.node()) if named else ""
    return ClientInfo(__version__, shown, virtual(), own)
