"""`muster demo`: the whole story of volume activation on this machine, with real parts.

Publisher, DNS server and host run as programs on loopback; machines differ by the facts that they
are given. Every number that is printed was counted in the answers or asked from the host; at the
end they are checked against each other, and the command ends with 1 where they do not agree.

Long, because it is one story, whose parts nobody else tells.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose
from muster.cli.output import MusterCommand, emit, wants_json
from muster.core.catalogue import error
from muster.core.extras import brought_by
from muster.core.records import Seconds

if TYPE_CHECKING:
    from muster.client.findings import Activation
    from muster.client.service import Client
    from muster.health.report import Report
    from muster.testing.site import Machine, Site

DESKTOP = "contoso-desktop-7-professional"
SERVER = "contoso-server-2008-standard"
OFFICE = "contoso-office-2010"
HOST_GROUP = "server-c"
OFFICE_GROUP = "office-2010"
POOL = 10
"""Machines that the one-time key activates."""
_NOTHING_LEFT = "Stopped; nothing is left."
MORE = 5
"""Servers and office suites, unless the catalogue needs more."""


@dataclass
class Fleet:
    """What was seen of the machines of one product; every number is counted."""

    title: str
    product: str
    machines: list[Machine] = field(default_factory=list)
    application: str = ""
    need: int = 0
    refused: int = 0
    counts: list[tuple[int, int]] = field(default_factory=list)
    """(count, need) of each refusal, in order."""
    first_licensed: int = 0
    """Which machine was the first to be licensed, from 1."""
    licensed: int = 0
    count: int = 0
    """*Current count* of the product's application, as the host says."""

    def report(self) -> FleetReport:
        """The same in numbers."""
        return FleetReport(
            product=self.product,
            machines=len(self.machines),
            need=self.need,
            refused=self.refused,
            first_licensed=self.first_licensed,
            licensed=self.licensed,
            count=self.count,
        )


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The machines of one product in numbers; `first_licensed` counts from 1, 0 is nobody."""

    product: str
    machines: int
    need: int
    refused: int
    first_licensed: int
    licensed: int
    count: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What happened, in numbers, with what does not agree.

    `licensed_once` by channel, machines that were activated once; `drawn` how many from the key's
    pool; `named_by_doctor` the hosts that prove no grant.
    """

    publisher: str
    seconds: Seconds
    fleets: tuple[FleetReport, ...]
    verified_offline: bool
    licensed_once: tuple[str, ...]
    drawn: int
    revoked_host: str
    named_by_doctor: tuple[str, ...]
    problems: tuple[str, ...]


@click.command(cls=MusterCommand)
@click.option(
    "--clients",
    type=click.IntRange(1, 500),
    default=25,
    show_default=True,
    help="How many desktops ask; below the threshold of the product none is licensed.",
)
@click.option("--keep", is_flag=True, help="Keep it running until Ctrl-C, and show what to type.")
@click.option("--small-dns", is_flag=True, help="Do not use BIND 9 even where it is installed.")
def demo(clients: int, keep: bool, small_dns: bool) -> None:
    """Demonstrate volume activation on this machine, from an empty folder to licensed machines.

    A publisher, a DNS server, a host, desktops, servers and office suites, all on loopback; then
    machines without a network, and a revoked host. Takes well under a minute and leaves
    nothing behind.
    """
    with brought_by("server", "The demonstration"):
        from muster.testing.site import Site

    begun = compose.clock().monotonic()
    try:
        folder = Path(tempfile.mkdtemp(prefix="muster-demo-"))
    except OSError as fault:
        raise error("file/no-temporary") from fault
    with _stopped_once(), _removed(folder), Site(folder, small_dns=small_dns) as site:
        story = _Story(site)
        story.play(clients)
        report = story.report(compose.clock().monotonic() - begun)
        emit(report, story.table(report))
        if keep and not wants_json():
            for line in story.what_to_type():
                click.echo(line)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    if keep and not wants_json():
        click.echo(_NOTHING_LEFT)
    if report.problems:
        click.get_current_context().exit(1)


@contextlib.contextmanager
def _stopped_once() -> Iterator[None]:
    """Let SIGTERM and a terminal that is closed end the demo as Ctrl-C does; what comes after the
    first does not hurry it, so that nothing is left running."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(_number: int, _frame: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [(number, signal.getsignal(number)) for number in numbers]
    for number, handler in before:
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        click.echo(_NOTHING_LEFT, err=True)
        raise
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextlib.contextmanager
def _removed(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _proving_nothing(report: Report) -> list[str]:
    from muster.health.report import Mark, Topic

    return [
        check.host
        for check in report.checks
        if check.topic is Topic.GRANT and check.mark is Mark.FAIL and check.host
    ]


class _Progress:
    """Says what happens: a bar on a terminal, lines on a pipe, nothing with `--json`."""

    def __init__(self) -> None:
        from muster.cli.output import interactive

        self._quiet = wants_json()
        self._bar = None
        if interactive() and not self._quiet:
            with contextlib.suppress(ImportError):  # without the extra 'server' there are lines
                from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

                self._bar = Progress(
                    TextColumn("  {task.description:<44}"), BarColumn(24), MofNCompleteColumn()
                )

    def say(self, text: str = "") -> None:
        """One line."""
        if not self._quiet:
            click.echo(text)

    def each(self, title: str, items: Sequence[Any]) -> Iterator[Any]:
        """Go through items, showing how far it is."""
        if self._bar is None:
            yield from items
            return
        with self._bar as bar:
            task = bar.add_task(title, total=len(items))
            for item in items:
                yield item
                bar.advance(task)
            bar.remove_task(task)


class _Story:
    """The acts, in order, and what was seen."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.progress = _Progress()
        self.desktops = Fleet("Desktops", DESKTOP)
        self.servers = Fleet("Servers", SERVER)
        self.offices = Fleet("Office suites", OFFICE)
        self.publisher = ""
        self.label = ""
        self.host_key = ""
        self.verified = False
        self.once: dict[str, str] = {}
        """Licence ids by the channel through which a machine was activated once."""
        self.drawn = 0
        self.revoked = ""
        self.named: list[str] = []
        """Advertised hosts that the doctor says prove no grant."""

    @property
    def fleets(self) -> tuple[Fleet, Fleet, Fleet]:
        """Desktops, servers, office suites."""
        return self.desktops, self.servers, self.offices

    def play(self, clients: int) -> None:
        """All acts."""
        self._publisher_and_host()
        say = self.progress.say
        say(f"\n3. {clients} desktops ask, each with its own hardware, store and CMID.")
        self._fill(self.desktops, clients)
        self._first_round(self.desktops)
        self._again(self.desktops)
        say("\n4. Servers ask; they are counted together with the desktops.")
        self._fill(self.servers, max(MORE, self.servers.need))
        self._first_round(self.servers)
        self._again(self.servers)
        say("\n5. A second host key, for office, next to the first.")
        self.site.install_host_key(self.site.host_key(OFFICE_GROUP))
        self._fill(self.offices, max(MORE, self.offices.need))
        self._first_round(self.offices)
        self._again(self.offices)
        self._look_around()
        self._once()
        self._doctor()

    def _publisher_and_host(self) -> None:
        say = self.progress.say
        say("1. The publisher creates its roots, keys and catalogue, and serves activation.")
        created = self.site.start_publisher()
        self.publisher, self.label = created.text("publisher"), created.text("label")
        say(f"   Publisher {created['name']}, id {self.publisher}, at {self.site.publisher_url}")
        for fleet in self.fleets:
            shown = self.site.muster(
                "publisher", "product", "show", "--store", str(self.site.publisher_store),
                fleet.product,
            )  # fmt: skip
            fleet.need = shown.inner("product").number("need")
            fleet.application = shown.inner("product").text("application")
        say("\n2. The customer's host is activated once, and publishes its address in DNS.")
        say(f"   DNS: {self.site.start_dns()} at {self.site.nameserver}")
        self.host_key = self.site.host_key(HOST_GROUP)
        self.site.start_host(self.host_key)
        say(f"   Host: listens at {self.site.host_address}")
        from muster.testing.site import ZONE

        for name in (f"_muster._tcp.{ZONE}", f"_{self.label}._sub._muster._tcp.{ZONE}"):
            for record in self.site.wait_for_records(name):
                say(f"   {name}. SRV {record}")

    def _fill(self, fleet: Fleet, number: int) -> None:
        for index in range(1, number + 1):
            fleet.machines.append(self.site.machine(f"{fleet.product}-{index:03}"))

    def _ask(self, fleet: Fleet, machine: Machine) -> Activation:
        client = machine.client(self.site.nameserver)
        client.add_product(self.site.descriptor(fleet.product).read_bytes())
        return client.activate()[0]

    def _first_round(self, fleet: Fleet) -> None:
        """Each machine asks once."""
        for index, machine in enumerate(
            self.progress.each(f"{fleet.title} ask", fleet.machines), start=1
        ):
            result = self._ask(fleet, machine)
            if result.status.verdict.licensed:
                fleet.first_licensed = fleet.first_licensed or index
                continue
            fault = result.fault
            if fault is None or fault.code != "host/insufficient-count":
                raise fault or RuntimeError(f"{machine.name} was refused without a reason")
            fleet.refused += 1
            fleet.counts.append((int(fault.params["count"]), int(fault.params["need"])))
        if fleet.counts:
            (low, need), (high, _) = fleet.counts[0], fleet.counts[-1]
            self.progress.say(
                f"   {fleet.refused} refused: count {low} to {high}, threshold {need}. "
                "Each was counted and asks again by itself."
            )
        if fleet.first_licensed:
            self.progress.say(f"   Number {fleet.first_licensed} is licensed.")
        else:
            self.progress.say("   The threshold is not reached, so no machine is licensed.")

    def _again(self, fleet: Fleet) -> None:
        """Who was refused asks again, as its agent would after the retry interval."""
        waiting = [machine for machine in fleet.machines if not self._licence(fleet, machine)]
        if waiting and fleet.first_licensed:
            for machine in self.progress.each(f"{fleet.title} ask again", waiting):
                self._ask(fleet, machine)
        fleet.licensed = sum(self._licence(fleet, machine) for machine in fleet.machines)
        self.progress.say(f"   {fleet.licensed} of {len(fleet.machines)} are licensed now.")

    def _licence(self, fleet: Fleet, machine: Machine) -> bool:
        """Whether an application on the machine finds the product licensed."""
        from muster.client import licence

        verified = licence(
            self.site.descriptor(fleet.product), store=machine.store, facts=machine.facts
        )
        return verified.licensed

    def _look_around(self) -> None:
        """Status of the host and of a client, and a licence verified offline."""
        say = self.progress.say
        status = self.site.host_status()
        for fleet in self.fleets:
            for row in status.rows("applications"):
                if row["application"] == fleet.application:
                    fleet.count = row.number("count")
        machine = self.desktops.machines[-1]
        say("\n6. What administrators see: 'muster host status' and 'muster client status'.")
        for line in self.site.text("host", "status", "--store", str(self.site.host_store)):
            say(f"   | {line}")
        for line in self.site.text(
            "client", "status", "--store", str(machine.store), "--facts", str(machine.facts)
        ):
            say(f"   | {line}")
        if not self.desktops.licensed:
            return
        say("\n7. One licence, verified offline from the roots that the program pins:")
        bundle = self.site.folder / "one.licence.json"
        self.site.muster(
            "client", "licence", "--store", str(machine.store), "--facts", str(machine.facts),
            "--out", str(bundle),
        )  # fmt: skip
        words = ["verify", str(bundle), "--descriptor", str(self.site.descriptor(DESKTOP))]
        self.verified = bool(self.site.muster(*words)["good"])
        for line in self.site.text(*words):
            say(f"   | {line}")

    def _once(self) -> None:
        """Two machines without a network: by digits that somebody reads out, and by a file."""
        say = self.progress.say
        say("\n8. Two machines without a network, with a key that activates each of them once.")
        key = self.site.machine_key(OFFICE_GROUP, POOL)

        spoken = self._offline("by-telephone", key)
        digits = spoken.installation_id(OFFICE).installation_id
        self._digits("Read out:", digits)
        answer = self.site.confirm(digits).text("confirmation_id")
        self._digits("Read back:", answer)
        self._licensed_once("telephone", spoken.confirm(answer, OFFICE))

        carried = self._offline("by-file", key)
        request, reply = (self.site.folder / f"by-file.{kind}" for kind in ("request", "reply"))
        request.write_bytes(carried.installation_id(OFFICE).request.encode())
        self.site.confirm("--request", str(request), "--reply", str(reply))
        say(f"   Carried:   {request.name} there, {reply.name} back")
        self._licensed_once("file", carried.accept_reply(reply.read_bytes(), OFFICE))

        shown = self.site.muster(
            "publisher", "key", "show", "--store", str(self.site.publisher_store), key
        )
        self.drawn = shown.inner("key").inner("pool").number("drawn")
        say(
            f"   {len(self.once)} licensed permanently; {self.drawn} of {POOL} activations of the"
            " key are used."
        )

    def _digits(self, title: str, digits: str) -> None:
        from muster.core.digits import format_rows

        for line in format_rows(tuple(digits.split("-"))).splitlines():
            self.progress.say(f"   {title:<11}{line}")
            title = ""

    def _offline(self, name: str, key: str) -> Client:
        client = self.site.machine(name).client(self.site.nameserver)
        client.add_product(self.site.descriptor(OFFICE).read_bytes())
        client.install_key(key, OFFICE)
        return client

    def _licensed_once(self, channel: str, activation: Activation) -> None:
        licence = activation.status.verdict.licence
        if licence is not None and licence.expires is None:
            self.once[channel] = licence.grant_jti

    def _doctor(self) -> None:
        """A second host is revoked, and goes on; a machine finds out which."""
        from muster.cli.doctor import text
        from muster.testing.site import ZONE

        say = self.progress.say
        say("\n9. A second host is stolen and revoked, and keeps its old catalogue.")
        self.revoked = self.site.start_second_host(self.host_key)
        self.site.wait_for_records(f"_{self.label}._sub._muster._tcp.{ZONE}", 2)
        self.site.revoke_second_host()
        (report,) = self.desktops.machines[0].client(self.site.nameserver).doctor()
        self.named = _proving_nothing(report)
        say("   'muster doctor' on a machine:")
        for line in text(report):
            say(f"   | {line}")

    # The end.

    def report(self, seconds: float) -> DemoReport:
        """What happened, in numbers, with what does not agree."""
        problems: list[str] = []
        for fleet in self.fleets:
            number = len(fleet.machines)
            together = (
                {fleet.count for fleet in self.fleets[:2]} if fleet is not self.offices else None
            )
            reached = fleet.first_licensed > 0
            if reached and fleet.licensed != number:
                problems.append(f"{fleet.title}: {fleet.licensed} of {number} are licensed")
            if reached and fleet.refused != fleet.first_licensed - 1:
                problems.append(f"{fleet.title}: refused {fleet.refused}")
            if not reached and fleet.licensed:
                problems.append(f"{fleet.title}: licensed below the threshold")
            if any(need != fleet.need for _, need in fleet.counts):
                problems.append(
                    f"{fleet.title}: the host named another threshold than the catalogue"
                )
            if together is not None and len(together) != 1:
                problems.append("desktops and servers do not share one count")
        machines = len(self.desktops.machines) + len(self.servers.machines)
        if self.servers.count != machines:
            problems.append(f"the host counts {self.servers.count} of {machines} machines")
        if self.offices.count != len(self.offices.machines):
            problems.append(f"the host counts {self.offices.count} office suites")
        if len(self.desktops.machines) >= self.desktops.need != self.desktops.first_licensed:
            problems.append("the first licensed desktop is not the one that reached the threshold")
        if self.desktops.licensed and not self.verified:
            problems.append("the licence does not verify offline")
        if len(set(self.once.values())) != 2 or self.drawn != 2:
            problems.append(f"licensed once: {', '.join(self.once)}; used {self.drawn}")
        if self.named != [self.revoked]:
            problems.append(f"the doctor names {self.named} and not {self.revoked}")
        return DemoReport(
            publisher=self.publisher,
            seconds=int(seconds),
            fleets=tuple(fleet.report() for fleet in self.fleets),
            verified_offline=self.verified,
            licensed_once=tuple(sorted(self.once)),
            drawn=self.drawn,
            revoked_host=self.revoked,
            named_by_doctor=tuple(self.named),
            problems=tuple(problems),
        )

    def table(self, report: DemoReport) -> list[str]:
        """The summary for people."""
        lines = [
            "",
            f"{'':14} {'asked':>6} {'need':>6} {'refused':>8} {'first':>9} {'licensed':>9} "
            f"{'Current':>8}",
            f"{'':14} {'':>6} {'':>6} {'at first':>8} {'licensed':>9} {'now':>9} {'count':>8}",
        ]
        for fleet in self.fleets:
            first = f"number {fleet.first_licensed}" if fleet.first_licensed else "nobody"
            lines.append(
                f"{fleet.title:14} {len(fleet.machines):>6} {fleet.need:>6} {fleet.refused:>8} "
                f"{first:>9} {fleet.licensed:>9} {fleet.count:>8}"
            )
        lines.append("")
        lines += [f"PROBLEM: {problem}" for problem in report.problems]
        if not report.problems:
            lines.append(f"All numbers agree. {report.seconds} seconds.")
        return lines

    def what_to_type(self) -> list[str]:
        """Addresses and next commands, for `--keep`."""
        machine = self.desktops.machines[0]
        store, facts = f"--store {machine.store}", f"--facts {machine.facts}"
        return [
            "",
            f"It keeps running in {self.site.folder} until Ctrl-C.",
            f"  Publisher  {self.site.publisher_url}/.well-known/jwks.json",
            f"  Host       http://{self.site.host_address}/v1/publishers",
            f"  DNS        {self.site.nameserver}",
            "Type next, in another window:",
            f"  muster host status --store {self.site.host_store}",
            f"  muster host clients --store {self.site.host_store}",
            f"  muster client status {store} {facts}",
            f"  export MUSTER_CLIENT_NAMESERVER={self.site.nameserver}",
            f"  muster client discover {store} {facts}",
            f"  muster doctor {store} {facts}",
            f"  muster slmgr /dlv {store} {facts}",
        ]
