"""Runs the effects of the machine, one after the other: DNS, HTTP and the store.

Decides nothing that lasts: it carries effects out and brings events back. Here the client meets
I/O; every wait is bounded, and so is the try as a whole. Obeys docs/spec/07-discovery.md, section
7.4, and 08-http.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from muster.client.discovery import (
    DNS_SECONDS,
    TRY_SECONDS,
    Address,
    Record,
    SRVAnswer,
    SRVNames,
    not_asked,
    turn,
)
from muster.client.messages import (
    Answered,
    Ask,
    Begin,
    Discover,
    Discovered,
    Document,
    Event,
    Failed,
    Fetch,
    Fetched,
    Finish,
    NotSaved,
    Save,
    Saved,
    Warn,
)
from muster.core.catalogue import error
from muster.core.clock import Clock
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.wire.routes import ACTIVATE, HOST_CATALOGUE, HOST_TRUST, Route

if TYPE_CHECKING:
    from muster.client.machine import Machine  # it is given: who only asks DNS loads none


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP; `ip` is the address under which the host was reached, or "".

    `date` is what the peer's clock says, Unix seconds; None where it does not tell.
    """

    status: int
    body: bytes
    ip: str = ""
    date: int | None = None


class Network(Protocol):
    """What a client asks of the network; `muster.client.network` has the real one."""

    def records(self, name: str) -> tuple[Record, ...]:
        """The SRV records of a name, empty where there are none. Raises: `net/dns-…`."""

    def call(
        self,
        address: Address,
        route: Route,
        path: str,
        body: bytes | None,
        seconds: float | None = None,
    ) -> Reply:
        """Send one request to a host and read the whole answer, whatever its status.

        `seconds` for everything from the name to the last byte, where they are fewer than usual.
        Raises: `net/…`; nothing else, whatever the peer does.
        """

    def ask(self, url: str, route: Route, path: str, body: bytes | None) -> Reply:
        """Send one request to the publisher's service at `url` and read the whole answer.

        Raises: `net/…`; nothing else, whatever the peer does.
        """


class Driver:
    """Carries one machine from its beginning to its end.

    Args:
        network: DNS and HTTP.
        clock: the time of each event.
        save: writes the store; raises `file/…`.
        tell: takes what a person or a log should know.
    """

    def __init__(
        self,
        network: Network,
        clock: Clock,
        save: Callable[[Save], None],
        tell: Callable[[MusterError], None],
    ) -> None:
        self._network = network
        self._clock = clock
        self._save = save
        self._tell = tell
        self._end = 0.0
        self._turn = 0.0

    def run(self, machine: Machine, *, typed: bool) -> Finish:
        """Run a try to its end.

        Raises: what `Begin` raises (`muster.client.machine.Machine.handle`); nothing else.
        """
        self._end = self._clock.monotonic() + TRY_SECONDS
        waiting: list[Event] = [Begin(self._clock.now(), typed)]
        while waiting:
            for effect in machine.handle(waiting.pop(0)):
                match effect:
                    case Finish():
                        return effect
                    case Warn():
                        self._tell(effect.about)
                    case Save():
                        waiting.append(self._do_save(effect))
                    case Discover():
                        waiting.append(self._do_discover(effect))
                    case Ask():
                        waiting.append(self._do_ask(effect))
                    case Fetch():
                        waiting.append(self._do_fetch(effect))
        raise AssertionError("a machine ends with Finish")

    def _do_save(self, effect: Save) -> Event:
        try:
            self._save(effect)
        except MusterError as fault:
            return NotSaved(self._clock.now(), fault)
        return Saved(self._clock.now())

    def _do_discover(self, effect: Discover) -> Event:
        end = min(self._end, self._clock.monotonic() + DNS_SECONDS)
        answers, faults = discover(
            self._network, effect.names, lambda: self._clock.monotonic() >= end
        )
        return Discovered(self._clock.now(), answers, faults)

    def _do_ask(self, effect: Ask) -> Event:
        address = effect.candidate.address
        now = self._clock.monotonic()
        if now >= self._end:
            fault = error("client/not-asked", peer=address.text, seconds=f"{TRY_SECONDS:g}")
            return Failed(self._clock.now(), effect.number, fault)
        if effect.again:
            seconds = self._turn - now
        else:
            share, seconds = turn(self._end - now, effect.waiting)
            self._turn = now + share
        try:
            if seconds <= 0:
                raise error("net/timeout", peer=address.text, seconds=f"{TRY_SECONDS:g}")
            reply = self._network.call(address, ACTIVATE, ACTIVATE.path, effect.body, seconds)
            if 300 <= reply.status < 400:
                raise error("client/redirect", peer=address.text, status=reply.status)
        except MusterError as fault:
            return Failed(self._clock.now(), effect.number, fault)
        return Answered(self._clock.now(), effect.number, reply.status, reply.body, ip=reply.ip)

    def _do_fetch(self, effect: Fetch) -> Event:
        try:
            left = self._turn - self._clock.monotonic()
            if left <= 0:
                raise error("net/timeout", peer=effect.address.text, seconds=f"{TRY_SECONDS:g}")
            document = effect.document
            route = HOST_TRUST if document is Document.TRUST else HOST_CATALOGUE
            path = route.fill(publisher=effect.publisher, version=str(effect.version))
            reply = self._network.call(effect.address, route, path, None, left)
            if reply.status != 200:
                peer = effect.address.text
                raise error(
                    "client/no-document", peer=peer, document=document.value, status=reply.status
                )
        except MusterError as fault:
            return Failed(self._clock.now(), effect.number, fault)
        # What is not ASCII is no compact JWS; the reader will say so.
        text = reply.body.decode("ascii", "replace")
        return Fetched(self._clock.now(), effect.number, text)


def discover(
    network: Network, asked: tuple[SRVNames, ...], late: Callable[[], bool] = lambda: False
) -> tuple[tuple[SRVAnswer, ...], tuple[MusterError, ...]]:
    """Ask DNS for both names under each suffix: what was found, and what failed.

    What was not asked because it became late is one of the faults.
    """
    answered: list[SRVAnswer] = []
    faults: list[MusterError] = []
    unasked: list[str] = []
    for names in asked:
        answers: list[tuple[Record, ...]] = []
        for name in (names.label, names.general):
            records: tuple[Record, ...] = ()
            if late():
                unasked.append(name)
            else:
                try:
                    records = network.records(name)
                except MusterError as fault:
                    faults.append(fault)
            answers.append(records)
        answered.append(SRVAnswer(names.domain, answers[0], answers[1]))
    if unasked:
        faults.append(not_asked(unasked))
    return tuple(answered), tuple(faults)
