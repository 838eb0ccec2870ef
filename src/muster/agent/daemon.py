"""The keeper: one thread that sleeps until an instant, a change, a question or a signal.

Decides when tasks run and who shares their outcome. Verifies nothing, reads nothing that strangers
wrote and loads neither cryptography nor HTTP: its children do (ADR 0022). Refuses to know licences.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from muster import __version__
from muster.agent import child
from muster.agent.agenda import Agenda, Planned, planned
from muster.agent.hooks import Hooks, NoHooks
from muster.agent.told import decode
from muster.client.agent_state import AgentRun, AgentStatus
from muster.core import grammar
from muster.core.catalogue import error
from muster.core.clock import Clock, Dice
from muster.core.records import ErrorRecord, encode
from muster.core.values import dataclass
from muster.system.files import write_atomic
from muster.system.wakeups import Alarm, FolderWatch

TASK_SECONDS, PRODUCT_SECONDS = 60.0, 240.0
"""The time of a task, and more for each product that it tries."""
TASK_STOP_SECONDS = 10.0
SETTLE_SECONDS = 1.0
"""After a change of the store: whoever changes it often changes more of it."""
PATIENCE = 60
"""Seconds for which whoever is patient is given the last outcome."""
_CHANGED = ("state.json", "client.toml")
_BOOTING = 600
_WORDS_A_SPAN = 3  # of a watchdog: a late one ends nothing
_log = logging.getLogger("muster.agent")


class Tasks(Protocol):
    """What the children do; the keeper's process calls none of it."""

    def plan(self) -> child.Outcome:
        """Look what comes next."""

    def keep(self, names: list[str]) -> child.Outcome:
        """Try products."""

    def wish(self, product: str | None) -> child.Outcome:
        """Try now."""

    def responder(self, sockets: tuple[socket.socket, socket.socket], line: socket.socket) -> None:
        """Answer connections until nobody asks."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an agent is.

    `store` is the root of stores; `everybody` and `for_root` are its listening sockets, at
    `places`; `state` the file in which it says what it did; `uptime` seconds since the machine
    started, None where unknown.
    """

    store: Path
    state: Path
    everybody: socket.socket
    for_root: socket.socket
    places: tuple[str, str]
    uptime: int | None = None


@dataclass(frozen=True, slots=True)
class _Wish:
    """A wish of a responder: `number` there."""

    number: int
    product: str | None


class Keeper:
    """The keeper of a machine.

    Args:
        around: where it is.
        tasks: what children do.
        clock, dice: the machine's.
        hooks: told how it stands.
    """

    def __init__(
        self,
        around: Surroundings,
        tasks: Tasks,
        clock: Clock,
        dice: Dice,
        hooks: Hooks | None = None,
    ) -> None:
        self._around = around
        self._tasks = tasks
        self._clock = clock
        self._hooks = hooks or NoHooks()
        booted = around.uptime is not None and around.uptime < _BOOTING
        self._agenda = Agenda(dice, booted=booted)
        self._since = clock.now()
        self._last_run: AgentRun | None = None
        self._last_try: AgentRun | None = None
        self._task: child.Task | None = None
        self._done: Callable[[child.Outcome], None] = lambda _: None
        self._trying: str | None = ""
        self._plan_at: float | None = 0.0
        self._sharing: list[_Wish] = []
        self._waiting: list[_Wish] = []
        self._last: dict[str | None, tuple[float, child.Outcome]] = {}
        self._responder: child.Responder | None = None
        self._stop = self._reload = False
        self._ready = False
        self._alive_at = 0.0

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Keep the machine licensed until SIGTERM or SIGINT.

        Args:
            started: called when signals are heeded and the state is written.
        """
        self._alarm, self._watch = Alarm(), FolderWatch()
        woken, wake = socket.socketpair()
        for sock in (woken, wake):
            sock.setblocking(False)
        old_wake = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        handlers = {
            number: signal.signal(number, self._signalled)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        self._own = (self._alarm.fileno(), self._watch.fileno(), woken.fileno(), wake.fileno())
        try:
            self._watch_store()
            self._write_state()
            started()
            while not self._stop:
                self._begin()
                self._sleep(woken)
        finally:
            self._hooks.stopping()
            self._end()
            signal.set_wakeup_fd(old_wake)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            woken.close()
            wake.close()
            self._alarm.close()
            self._watch.close()

    # What wakes it up.

    def _signalled(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop = True

    def _sleep(self, woken: socket.socket) -> None:
        waiting = select.poll()
        readers: dict[int, Callable[[], None]] = {
            woken.fileno(): lambda: _drain(woken),
            self._alarm.fileno(): self._rang,
            self._watch.fileno(): self._changed,
        }
        if self._task is not None:
            readers[self._task.fileno()] = self._heard
        if self._responder is None:
            readers[self._around.everybody.fileno()] = self._knocked
            readers[self._around.for_root.fileno()] = self._knocked
        else:
            readers[self._responder.fileno()] = self._responder_said
        for handle in readers:
            waiting.register(handle, select.POLLIN)
        if self._responder is not None and self._responder.unsent:
            waiting.modify(self._responder.fileno(), select.POLLIN | select.POLLOUT)
        idle = self._task is None and self._plan_at is None
        if self._alarm.set(self._agenda.next_instant if idle else None):
            self._clock_was_set()
        for handle, _ in waiting.poll(self._timeout()):
            readers[handle]()
        if self._responder is not None:
            self._responder.flush()
        if self._task is not None and self._clock.monotonic() >= self._task.end:
            self._task.stop()
        if self._hooks.watchdog_seconds and self._clock.monotonic() >= self._alive_at:
            self._alive_at = self._clock.monotonic() + self._hooks.watchdog_seconds / _WORDS_A_SPAN
            self._hooks.alive()
        if self._reload:
            self._reload = False
            self._reloaded()

    def _timeout(self) -> int | None:
        """Milliseconds of the sleep; None, for ever, whenever nothing is under way."""
        ends = [] if self._task is None else [self._task.end]
        if self._plan_at is not None and self._task is None:
            ends.append(self._plan_at)
        if self._hooks.watchdog_seconds:
            ends.append(self._alive_at)
        if not ends:
            return None
        return max(0, int((min(ends) - self._clock.monotonic()) * 1000) + 1)

    def _rang(self) -> None:
        if self._alarm.read():
            self._clock_was_set()

    def _clock_was_set(self) -> None:
        _log.info("the clock was set")
        self._plan_soon(0.0)

    def _changed(self) -> None:
        store = self._around.store
        changed = [
            (path, is_folder)
            for path, is_folder in self._watch.read()
            if path == store or path.parent != store.parent
        ]
        if any(is_folder for _, is_folder in changed):
            self._watch_store()
        if any(is_folder or path.name in _CHANGED for path, is_folder in changed):
            self._plan_soon(SETTLE_SECONDS)
            self._tell_responder({"changed": True})

    def _plan_soon(self, seconds: float) -> None:
        if self._plan_at is None:
            self._plan_at = self._clock.monotonic() + seconds

    def _watch_store(self) -> None:
        """Watch the store and its publishers; also where it will be, for it is not made here [a
        user's store counts only where the system has none]."""
        store = self._around.store
        with contextlib.suppress(OSError):
            self._watch.add(store.parent)
            self._watch.add(store)
            for folder in store.iterdir():
                if folder.is_dir() and grammar.PUBLISHER_ID.fullmatch(folder.name):
                    self._watch.add(folder)

    def _reloaded(self) -> None:
        """Take up the settings anew: tasks and responders read them when they start."""
        self._hooks.reloading()
        self._ready = False
        self._end_responder()
        self._plan_at = self._clock.monotonic()

    # Tasks.

    def _begin(self) -> None:
        """Start the next task, if there is one and none runs."""
        if self._task is not None:
            return
        if self._waiting:
            self._begin_wish()
            return
        if self._plan_at is not None and self._clock.monotonic() >= self._plan_at:
            self._plan_at = None
            self._start(self._tasks.plan, TASK_SECONDS, self._planned)
            return
        names = self._agenda.due(self._clock.now()) if self._plan_at is None else []
        if names:
            seconds = TASK_SECONDS + PRODUCT_SECONDS * len(names)
            self._start(partial(self._tasks.keep, names), seconds, partial(self._kept, names))

    def _begin_wish(self) -> None:
        product = self._waiting[0].product
        self._sharing = [wish for wish in self._waiting if wish.product == product]
        self._waiting = [wish for wish in self._waiting if wish.product != product]
        self._trying = product
        number = 1 if product else max(1, len(self._agenda.instants()))
        seconds = TASK_SECONDS + PRODUCT_SECONDS * number
        self._start(lambda: self._tasks.wish(product), seconds, self._wished)

    def _start(
        self,
        work: Callable[[], child.Outcome],
        seconds: float,
        done: Callable[[child.Outcome], None],
    ) -> None:
        closing = [*self._own, self._around.everybody.fileno(), self._around.for_root.fileno()]
        if self._responder is not None:
            closing.append(self._responder.fileno())
        self._done = done
        try:
            self._task = child.Task(work, self._clock.monotonic(), seconds, closing)
        except OSError as fault:  # short of processes or memory: tell, and try later
            _log.error("a task could not be started: %s", fault.strerror or fault)
            self._plan_at = self._clock.monotonic() + TASK_SECONDS
            done(child.failed(error("agent/failed")))

    def _heard(self) -> None:
        task = self._task
        assert task is not None
        outcome = task.hear()
        if outcome is None:
            return
        self._task = None
        self._done(outcome)
        if "products" not in outcome:
            _log.warning("%s: %s", outcome["error"]["code"], outcome["error"]["what"])
        self._write_state()
        self._tell_responder({"changed": True})
        if not self._ready:
            self._ready = True
            self._hooks.ready(f"{len(self._agenda.instants())} products on its agenda")

    def _planned(self, outcome: child.Outcome) -> None:
        if "products" in outcome:
            self._agenda.planned(planned(outcome), self._clock.now())
        self._remember("plan", outcome)

    def _kept(self, names: list[str], outcome: child.Outcome) -> None:
        products = planned(outcome) if "products" in outcome else self._still_due(names)
        self._agenda.tried(names, products, self._clock.now())
        self._remember("keep", outcome)

    def _still_due(self, names: list[str]) -> list[Planned]:
        """The agenda as it is, where a task said nothing: what it tried stays due."""
        return [
            Planned(name, instant, name in names, licensed=True)
            for name, instant in self._agenda.instants().items()
        ]

    def _wished(self, outcome: child.Outcome) -> None:
        if "products" in outcome:
            self._agenda.planned(planned(outcome), self._clock.now())
        self._remember("wish", outcome)
        told = {name: outcome[name] for name in ("error", "activations") if name in outcome}
        self._last[self._trying] = (self._clock.monotonic(), told)
        for index, wish in enumerate(self._sharing):
            self._answer(wish, told, coalesced=index > 0, retry_after=PATIENCE)
        self._sharing, self._trying = [], ""

    def _remember(self, task: str, outcome: child.Outcome) -> None:
        if "run" in outcome:
            run = decode(AgentRun, outcome["run"])
        else:
            fault = decode(ErrorRecord, outcome["error"])
            run = AgentRun(self._clock.now(), task, (), fault)
        self._last_run = run
        if task != "plan":
            self._last_try = run

    def _write_state(self) -> None:
        around = self._around
        status = AgentStatus(
            running=True,
            version=__version__,
            pid=os.getpid(),
            started=_started(),
            since=self._since,
            store=str(around.store),
            socket=around.places[0],
            root_socket=around.places[1],
            next_attempt=self._agenda.next_instant,
            last_run=self._last_run,
            last_try=self._last_try,
        )
        data = json.dumps(encode(status), separators=(",", ":"), sort_keys=True).encode("ascii")
        try:
            write_atomic(around.state, data, 0o644)
        except Exception as fault:  # noqa: BLE001 - a full disk keeps nobody from keeping
            _log.warning("the state could not be written: %s", fault)

    # The responder.

    def _knocked(self) -> None:
        if self._responder is None:
            self._responder = child.Responder.start(
                self._tasks.responder,
                (self._around.everybody, self._around.for_root),
                [*self._own, *([] if self._task is None else [self._task.fileno()])],
            )

    def _responder_said(self) -> None:
        assert self._responder is not None
        for message in self._responder.hear():
            wish = _Wish(int(message["wish"]), message["product"])
            self._wish(wish, patient=bool(message["patient"]))
        if self._responder.closed:
            self._responder.wait()
            self._responder = None
            self._sharing, self._waiting = [], []

    def _wish(self, wish: _Wish, *, patient: bool) -> None:
        if self._task is not None and self._sharing and self._trying in (None, wish.product):
            self._sharing.append(_Wish(wish.number, wish.product))
            return
        at, last = self._last.get(wish.product, (0.0, {}))
        left = at + PATIENCE - self._clock.monotonic()
        if patient and last and left > 0:
            self._answer(wish, last, coalesced=True, retry_after=int(left) + 1)
            return
        self._waiting.append(wish)

    def _answer(
        self, wish: _Wish, told: child.Outcome, *, coalesced: bool, retry_after: int
    ) -> None:
        outcome = dict(told)
        if "activations" in told:
            activations = told["activations"]
            products = [
                product
                for product in activations["products"]
                if wish.product in (None, f"{product['publisher']}/{product['product']}")
            ]
            outcome = {
                **activations,
                "products": products,
                "coalesced": coalesced,
                "retry_after": retry_after,
            }
        self._tell_responder({"wish": wish.number, "outcome": outcome})

    def _tell_responder(self, message: Mapping[str, Any]) -> None:
        if self._responder is not None:
            self._responder.tell(message)

    def _end_responder(self) -> None:
        if self._responder is not None:
            self._responder.end(self._clock.monotonic)
            self._responder = None
            self._sharing, self._waiting = [], []

    def _end(self) -> None:
        self._end_responder()
        task = self._task
        if task is None:
            return
        end = self._clock.monotonic() + TASK_STOP_SECONDS
        waiting = select.poll()
        waiting.register(task.fileno(), select.POLLIN)
        while (outcome := task.hear()) is None:
            left = end - self._clock.monotonic()
            if left <= 0:
                task.stop()
            waiting.poll(max(1, int(left * 1000)))
        self._task = None
        self._done(outcome)
        self._write_state()


def _drain(woken: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while woken.recv(4096):
            pass


def _started() -> int:
    line = Path("/proc/self/stat").read_bytes()
    return int(line.rpartition(b")")[2].split()[19])
