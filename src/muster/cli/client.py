"""`muster client …`: one machine and its products (docs/client.md).

Each command makes the client of this machine, does one thing with it and says what it did. A
second run changes nothing and says so.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose, options
from muster.cli.options import Command, show_code
from muster.cli.output import (
    LazyGroup,
    MusterCommand,
    emit,
    error_data,
    exit_code,
    print_error,
    wants_json,
)
from muster.core.catalogue import error
from muster.core.digits import format_rows
from muster.core.errors import MusterError
from muster.core.text import shown_url

if TYPE_CHECKING:
    from muster.client.messages import Tried
    from muster.client.results import Activation, Discovery, Probe, Readout, Status
    from muster.client.service import Client

"""A command before click gives it its options; each comes by name."""

MODES = ("machine", "device", "node", "explicit")
_FILE = click.Path(path_type=Path, dir_okay=False)


# Options that many commands share.


store_option = partial(options.store_option, lies="the stores lie")


def machine_options(command: Command) -> Command:
    """`--store` and `--facts`; gives the command `machine`."""

    @store_option
    @click.option(
        "--facts",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Facts file in place of this machine's hardware; MUSTER_FACTS may name one of root's.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, store: Path | None, facts: Path | None, **kwargs: Any) -> Any:
        kwargs["machine"] = compose.Machine(store, facts)
        return command(*args, **kwargs)

    return wrapped


def product_option(command: Command) -> Command:
    """`--product`."""
    return click.option("--product", metavar="ID", help="A product id, or PUBLISHER/ID.")(command)


def publisher_option(command: Command) -> Command:
    """`--publisher`."""
    return click.option(
        "--publisher", default="", metavar="ID", help="A publisher id; by default the only one."
    )(command)


@click.group(cls=LazyGroup)
def client() -> None:
    """A machine: its products, product keys, licences, and how it finds hosts.

    Begin with 'muster client product add FILE' and 'muster client activate'.
    """


@client.group(cls=LazyGroup)
def product() -> None:
    """The products on this machine."""


@product.command("add")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--identity",
    type=click.Choice(MODES),
    help="How this machine identifies itself to the publisher; machine by default.",
)
@click.option("--id", "given", default="", metavar="TEXT", help="The id of mode explicit.")
@click.option("--without-key", is_flag=True, help="Do not install the product's setup key.")
@click.option(
    "--trust-file", is_flag=True, help="Take the file whoever may write it; you answer for it."
)
@machine_options
def product_add(
    file: Path,
    identity: str | None,
    given: str,
    without_key: bool,
    trust_file: bool,
    machine: compose.Machine,
) -> None:
    """Set a product up on this machine from its descriptor FILE.

    The descriptor is where all trust begins: it must belong, with its folders, to root or to you,
    and nobody else may be able to write it.
    """
    from muster.lease.strict import DESCRIPTOR
    from muster.system.textfile import read_text_anchor

    data = read_text_anchor(file, DESCRIPTOR.bytes, trusted=trust_file)
    machine.warn_store()
    added = machine.client().add_product(
        data, identity=identity, given=given, with_key=not without_key
    )
    shown = {
        "product": added.product,
        "publisher": added.publisher,
        "label": added.label,
        "changed": added.changed,
        "key": added.key,
        "state": int(added.state),
        "identity": added.identity,
        "cmid": added.cmid,
        "warnings": [error_data(one) for one in added.warnings],
    }
    first = (
        f"{added.product} of {added.label} is set up."
        if added.changed
        else f"{added.product} of {added.label} was set up already; nothing was changed."
    )
    key = f"Product key: {added.key}" if added.key else "No product key is installed."
    emit(shown, [first, f"{key}  License Status: {added.state.text}", *_warned(added.warnings)])


@product.command("list")
@machine_options
def product_list(machine: compose.Machine) -> None:
    """List the products on this machine."""
    statuses = machine.client().statuses()
    emit(
        {"products": [_short(one) for one in statuses]},
        [
            f"{one.descriptor.publisher}/{one.descriptor.product.id}  "
            f"{one.verdict.state.text}  {one.descriptor.product.name}"
            for one in statuses
        ],
    )


@product.command("remove")
@click.argument("product_id", metavar="PRODUCT")
@machine_options
def product_remove(product_id: str, machine: compose.Machine) -> None:
    """Forget a product: its key, its licence and its descriptor.

    A lease that runs is not given back by this; 'muster client release' does that.
    """
    removed = machine.client().remove_product(product_id)
    emit(
        {"product": removed.product, "publisher": removed.publisher, "changed": True},
        [f"{removed.product} is removed from this machine."],
    )


@client.command("install-key")
@click.argument("key")
@product_option
@machine_options
def install_key(key: str, product: str | None, machine: compose.Machine) -> None:
    """Install a product key in place of the one that is there.

    A setup key makes this machine a client of hosts. A multiple activation, evaluation or retail
    key is activated by the publisher: 'activate', or 'installation-id' and 'confirm'.
    """
    done = machine.client().install_key(key, product)
    emit(
        {
            "product": done.product,
            "publisher": done.publisher,
            "key": done.key,
            "changed": done.changed,
            "state": int(done.state),
        },
        [
            f"Installed {done.key} for {done.product}."
            if done.changed
            else f"{done.key} is installed for {done.product} already; nothing was changed."
        ],
    )


@client.command("uninstall-key")
@product_option
@machine_options
def uninstall_key(product: str | None, machine: compose.Machine) -> None:
    """Remove the product key; the product is unlicensed then."""
    done = machine.client().uninstall_key(product)
    emit(
        {
            "product": done.product,
            "publisher": done.publisher,
            "changed": done.changed,
            "state": int(done.state),
        },
        [
            f"Removed {done.key} of {done.product}; it is unlicensed now."
            if done.changed
            else f"{done.product} has no product key; nothing was changed."
        ],
    )


@client.command()
@product_option
@click.option("--if-due", is_flag=True, help="Ask only where the schedule says so; for timers.")
@click.option(
    "--publisher-url",
    default="",
    metavar="URL",
    help="Address of the publisher's service, for keys that activate this machine once.",
)
@click.option("--request", "request_file", type=_FILE, help="Write a request file instead.")
@click.option("--reply", "reply_file", type=_FILE, help="Take a reply file.")
@machine_options
def activate(
    product: str | None,
    if_due: bool,
    publisher_url: str,
    request_file: Path | None,
    reply_file: Path | None,
    machine: compose.Machine,
) -> None:
    """Ask for a licence now, for one product or for all: a host, or the publisher.

    The installed key decides whom. Without a network: --request FILE, carry it, --reply FILE; or
    'installation-id' and 'confirm'.
    """
    if sum(map(bool, (publisher_url, request_file, reply_file, if_due))) > 1:
        raise click.UsageError("Give one of --if-due, --publisher-url, --request, --reply.")
    client = machine.client()
    machine.warn_store()
    if request_file is not None:
        _write_request(client.installation_id(product), request_file)
    elif reply_file is not None:
        from muster.system.textfile import read_text
        from muster.wire.exchange import FILE_LIMITS

        data = read_text(reply_file, FILE_LIMITS.bytes)
        report_activations([client.accept_reply(data, product)])
    else:
        warn_not_lasting(client, product)
        report_activations(client.activate(product, typed=not if_due, publisher_url=publisher_url))


def warn_not_lasting(client: Client, product: str | None) -> None:
    """Say before an activation is drawn that it will not survive a reinstall; ask nothing."""
    for name in client.not_lasting(product):
        click.echo(f"Warning: {error('client/not-lasting', product=name).what}", err=True)


def _write_request(found: Readout, path: Path) -> None:
    from muster.system.files import write_atomic

    data = found.request.encode()
    changed = not path.exists() or path.read_bytes() != data
    if changed:
        write_atomic(path, data, 0o644)
    emit(
        {"file": str(path), "changed": changed, **readout_data(found)},
        [
            f"Request for {found.product} {'written' if changed else 'is there already'}: {path}",
            "Carry it to the publisher. Then: muster client activate --reply FILE",
            *_lasting(found),
        ],
    )


def _lasting(found: Readout) -> list[str]:
    if found.lasting:
        return []
    return [
        "Warning: no stable fact of the hardware can be read; this ID does not survive a reinstall."
    ]


def readout_data(found: Readout) -> dict[str, Any]:
    """An installation ID for programs."""
    return {
        "product": found.product,
        "publisher": found.publisher,
        "key": found.masked,
        "installation_id": found.installation_id.text,
        "survives_reinstall": found.lasting,
    }


def readout_lines(found: Readout) -> list[str]:
    """The same for people: rows to read out."""
    return [
        f"Installation ID of {found.product} with the key {found.masked}:",
        "",
        *(f"  {row}" for row in format_rows(found.installation_id.groups).splitlines()),
        "",
        "Read the rows to the publisher, or send them. Then: muster client confirm DIGITS",
        *_lasting(found),
    ]


@client.command("installation-id")
@product_option
@click.option("--qr", "qr_file", type=_FILE, help="Write a QR code: a .png or .svg file.")
@click.option("--show-qr", is_flag=True, help="Draw the QR code in the terminal.")
@machine_options
def installation_id(
    product: str | None, qr_file: Path | None, show_qr: bool, machine: compose.Machine
) -> None:
    """Show what to read out, or show as a QR code, to activate without a network."""
    found = machine.client().installation_id(product)
    lines = readout_lines(found)
    data = readout_data(found)
    show_code(found.request.encode(), qr_file, data, lines, show=show_qr)
    emit(data, lines)


@client.command()
@click.argument("digits", nargs=-1, required=True, metavar="DIGITS...")
@product_option
@machine_options
def confirm(digits: tuple[str, ...], product: str | None, machine: compose.Machine) -> None:
    """Take the confirmation ID that the publisher gave; several keys: the one that verifies."""
    report_activations([machine.client().confirm(" ".join(digits), product)])


@client.command("set-publisher")
@click.argument("url", metavar="URL")
@publisher_option
@machine_options
def set_publisher(url: str, publisher: str, machine: compose.Machine) -> None:
    """Say where the publisher's service listens, for keys that activate this machine once."""
    changed = change_setting(machine, publisher, "publisher_url", url)
    said = "is" if changed else "was already"
    emit(
        {"publisher_url": url, "publisher": publisher or None, "changed": changed},
        [f"The publisher's address {said} {url}."],
    )


@client.command("clear-publisher")
@publisher_option
@machine_options
def clear_publisher(publisher: str, machine: compose.Machine) -> None:
    """Forget the address of the publisher's service."""
    changed = change_setting(machine, publisher, "publisher_url", None)
    emit(
        {"publisher_url": None, "publisher": publisher or None, "changed": changed},
        [
            "The publisher's address is forgotten."
            if changed
            else "No address was set by a command; nothing was changed."
        ],
    )


@client.group(cls=LazyGroup)
def catalogue() -> None:
    """News of the publisher for machines without a network."""


@catalogue.command("import")
@click.argument("file", type=_FILE)
@machine_options
def catalogue_import(file: Path, machine: compose.Machine) -> None:
    """Take trust and catalogue out of a publisher file."""
    from muster.system.textfile import read_text
    from muster.wire.exchange import FILE_LIMITS

    data = read_text(file, FILE_LIMITS.bytes)
    found = machine.client().import_publisher_file(data)
    said = "now" if found.changed else "already"
    emit(
        {
            "publisher": found.publisher,
            "trust": found.trust,
            "catalogue": found.catalogue,
            "changed": found.changed,
        },
        [f"Trust is at version {found.trust}, the catalogue at {found.catalogue}, {said}."],
    )


def report_activations(results: Sequence[Activation]) -> None:
    """Print the outcome of tries; the worst of them decides the exit code."""
    failed = [one.fault for one in results if one.fault is not None]
    shown: dict[str, Any] = {
        "products": [_activation_data(one) for one in results],
        "changed": any(one.renewed for one in results),
    }
    if failed:
        shown["error"] = error_data(failed[0])
    emit(shown, [line for one in results for line in _activation_lines(one)])
    if failed:
        if not wants_json():
            for fault in failed:
                print_error(fault)
        click.get_current_context().exit(max(exit_code(one) for one in failed))


def _activation_data(one: Activation) -> dict[str, Any]:
    return {
        **status_data(one.status),
        "renewed": one.renewed,
        "due": one.due,
        "error": None if one.fault is None else error_data(one.fault),
        "tried": [_tried_data(each) for each in one.tried],
        "told": [error_data(each) for each in one.told],
    }


def _tried_data(one: Tried) -> dict[str, Any]:
    return {
        "host": one.candidate.address.text,
        "source": one.candidate.source.value,
        "domain": one.candidate.domain,
        "error": None if one.problem is None else error_data(one.problem),
    }


def _activation_lines(one: Activation) -> list[str]:
    verdict = one.status.verdict
    name = one.status.descriptor.product.id
    lines = [f"{each.what} {each.fix}" for each in one.told]
    if one.renewed and not one.tried:
        until = "for ever" if verdict.until is None else f"until {_when(verdict.until)}"
        lines.append(f"{name} is activated, {until}. License Status: {verdict.state.text}")
    elif not one.due and verdict.licensed and verdict.until is None:
        lines.append(f"{name} is activated for ever; nothing was changed.")
    elif not one.tried and one.fault is None and verdict.licensed:
        lines.append(f"{name}: {verdict.state.text}. Nothing was changed.")
    elif one.renewed:
        host = one.tried[-1].candidate.address.text
        lines.append(f"{name} is licensed until {_when(verdict.until)}, by {host}.")
    elif not one.due:
        at = verdict.record.next_attempt if verdict.record is not None else 0
        state = verdict.state.text
        lines.append(f"{name}: {state}. Nothing is due before {_when(at)}; nothing was changed.")
    else:
        until = "" if verdict.until is None else f" until {_when(verdict.until)}"
        lines.append(f"{name} got no new licence. License Status: {verdict.state.text}{until}")
        if verdict.record is not None:
            lines.append(f"The next try is due at {_when(verdict.record.next_attempt)}.")
    return lines


@client.command()
@product_option
@click.option("--check", is_flag=True, help="Exit with 1 where a product is not licensed.")
@machine_options
def status(product: str | None, check: bool, machine: compose.Machine) -> None:
    """Show what is licensed here, until when, and why not."""
    machine.warn_store()
    statuses = machine.client().statuses(product)
    blocks = [status_lines(one) for one in statuses]
    lines = [line for block in blocks for line in (*block, "")]
    emit({"products": [status_data(one) for one in statuses]}, lines[:-1])
    if check and not all(one.verdict.licensed for one in statuses):
        click.get_current_context().exit(1)


def status_data(one: Status) -> dict[str, Any]:
    """Everything that is known of a product on this machine, for programs."""
    verdict, record, licence = one.verdict, one.verdict.record, one.verdict.licence
    held = verdict.authority
    return {
        **_short(one),
        "since": verdict.since,
        "until": verdict.until,
        "why": None if verdict.problem is None else error_data(verdict.problem),
        "warnings": [error_data(each) for each in verdict.warnings],
        "cmid": None if one.identity is None else one.identity.cmid,
        "identity": None if one.identity is None else one.identity.mode,
        "need": verdict.product.need,
        "licence": None
        if licence is None
        else {
            "kind": licence.kind,
            "issued": licence.issued,
            "expires": licence.expires,
            "renew_at": licence.renew_at,
            "retry_after": licence.retry_after,
            "count": licence.count,
            "grant": licence.grant_jti,
            "host_key": licence.key,
        },
        "last_host": record.last_good.text if record and record.last_good else None,
        "last_ip": record.last_ip or None if record else None,
        "last_count": record.count if record else None,
        "last_contact": record.last_contact or None if record else None,
        "last_attempt": record.last_attempt or None if record else None,
        "next_attempt": record.next_attempt or None if record else None,
        "trust": held.trust.version,
        "catalogue": None if held.catalogue is None else held.catalogue.version,
        "set_host": None if one.plan.host is None else one.plan.host.text,
        "suffixes": list(one.plan.suffixes),
        "host_caching": one.plan.caching,
        "publisher_url": shown_url(one.plan.publisher_url or one.descriptor.url) or None,
        "store": str(one.folder),
    }


def _short(one: Status) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "product": one.descriptor.product.id,
        "publisher": one.descriptor.publisher,
        "label": one.descriptor.trust.label,
        "name": one.descriptor.product.name,
        "edition": one.descriptor.product.edition,
        "key": verdict.record.masked if verdict.record is not None else "",
        "state": int(verdict.state),
        "state_text": verdict.state.text,
        "licensed": verdict.licensed,
    }


def status_lines(one: Status) -> list[str]:
    """The same for people."""
    from muster.client.onetime import is_one_time

    verdict, record, licence = one.verdict, one.verdict.record, one.verdict.licence
    descriptor = one.descriptor
    fields: list[tuple[str, str]] = [
        ("Product", f"{descriptor.product.name} ({descriptor.product.id})"),
        ("Publisher", f"{descriptor.trust.name} ({descriptor.publisher})"),
        ("License Status", f"{int(verdict.state)} {verdict.state.text}"),
    ]
    if verdict.until is not None or licence is not None:
        fields.append(("Until", _when(verdict.until)))
    if record is not None:
        fields.append(("Product key", record.masked or "none"))
    if one.identity is not None:
        fields.append(("Machine (CMID)", f"{one.identity.cmid} ({one.identity.mode})"))
    if licence is not None:
        fields.append(("Licensed since", _when(licence.issued)))
        if licence.kind == "lease":
            fields.append(("Count then", f"{licence.count} (the product needs {licence.need})"))
        else:
            fields.append(("Activated by", f"{licence.kind} key {licence.key}"))
    if record is not None and record.last_good is not None:
        ip = f" ({record.last_ip})" if record.last_ip else ""
        fields.append(("Host", f"{record.last_good.text}{ip}"))
    if record is not None and record.next_attempt:
        fields.append(("Next try", _when(record.next_attempt)))
    once = record is not None and is_one_time(record.key)
    url = one.plan.publisher_url or one.descriptor.url
    if once:
        fields.append(("Publisher at", shown_url(url) or "not known"))
    else:
        fields.append(("Hosts are found", _found_by(one)))
    held = verdict.authority
    catalogue = "none" if held.catalogue is None else f"{held.catalogue.version}"
    fields.append(("Trust, catalogue", f"version {held.trust.version}, {catalogue}"))
    fields.append(("Store", str(one.folder)))
    lines = [f"{name + ':':<18}{value}" for name, value in fields]
    problem = verdict.problem
    if problem is not None:
        number = f" ({problem.row.field_code})" if problem.row.field_code else ""
        lines += [
            f"Not licensed: {problem.code}{number}",
            f"  What: {problem.what}",
            f"  Why:  {problem.why}",
            f"  Fix:  {problem.fix}",
        ]
    return [*lines, *_warned(verdict.warnings)]


def _found_by(one: Status) -> str:
    if one.plan.host is not None:
        return f"by setting: {one.plan.host.text}"
    domains = ", ".join(one.plan.suffixes) or "no domain known"
    return f"by DNS: {domains}"


def _warned(warnings: Iterable[MusterError]) -> list[str]:
    return [f"Warning: {one.code}: {one.what} {one.fix}" for one in warnings]


@client.command()
@product_option
@click.option(
    "--timeout",
    type=click.IntRange(0, 30 * 86_400),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)
@machine_options
def wait(product: str | None, timeout: int, machine: compose.Machine) -> None:
    """Wait until a product is licensed, asking hosts whenever a try is due."""
    found = machine.client().wait(product, timeout, time.sleep)
    name = found.descriptor.product.id
    emit(status_data(found), [f"{name} is licensed until {_when(found.verdict.until)}."])


@client.command()
@publisher_option
@click.option("--probe/--no-probe", default=True, help="Ask each host what it serves.")
@machine_options
def discover(publisher: str, probe: bool, machine: compose.Machine) -> None:
    """Show how hosts are found, in the order of one try, and what each serves."""
    found = machine.client().discover(publisher, probe=probe)
    emit(_discovery_data(found), _discovery_lines(found, probed=probe))
    if not found.probes:
        click.get_current_context().exit(3)


def _discovery_data(found: Discovery) -> dict[str, Any]:
    return {
        "publisher": found.publisher,
        "label": found.label,
        "set_host": None if found.plan.host is None else found.plan.host.text,
        "last_host": None if found.last_good is None else found.last_good.text,
        "names": [
            {"domain": one.domain, "label": one.label, "general": one.general}
            for one in found.asked
        ],
        "errors": [error_data(one) for one in found.faults],
        "hosts": [
            {
                "host": one.candidate.address.text,
                "source": one.candidate.source.value,
                "domain": one.candidate.domain,
                "priority": one.candidate.priority,
                "weight": one.candidate.weight,
                "in_doubt": one.doubted,
                "error": None if one.problem is None else error_data(one.problem),
                "serves": None
                if one.served is None
                else {
                    "groups": list(one.served.groups),
                    "trust": one.served.trust,
                    "catalogue": one.served.catalogue,
                },
            }
            for one in found.probes
        ],
    }


def _discovery_lines(found: Discovery, *, probed: bool) -> list[str]:
    lines = [f"Hosts for {found.label} ({found.publisher}):"]
    if found.plan.host is not None:
        lines.append("  Discovery is off: the host is set ('muster client clear-host' ends that).")
    elif found.last_good is not None and found.plan.caching:
        lines.append(f"  First the last good one: {found.last_good.text}")
    for asked, answer in zip(found.asked, found.found, strict=True):
        for name, records in ((asked.label, answer.label), (asked.general, answer.general)):
            lines.append(f"  {name}  {len(records)} record{'' if len(records) == 1 else 's'}")
    for number, one in enumerate(found.probes, 1):
        candidate = one.candidate
        lines.append(
            f"  {number}. {candidate.address.text}  {candidate.source.value}"
            f"  priority {candidate.priority} weight {candidate.weight}"
            f"{'  in doubt: asked last for a while' if one.doubted else ''}"
            f"{'  ' + _probe_text(one) if probed else ''}"
        )
    for fault in found.faults:
        lines += [f"  {fault.code}: {fault.what}", f"    {fault.why}", f"    {fault.fix}"]
    return lines


def _probe_text(one: Probe) -> str:
    if one.problem is not None:
        return f"{one.problem.code}: {one.problem.what}"
    if one.served is None:
        return "answers, and serves nothing of this publisher"
    return f"serves {', '.join(one.served.groups) or 'no key group yet'}"


@client.command("set-host")
@click.argument("host", metavar="HOST[:PORT]")
@publisher_option
@machine_options
def set_host(host: str, publisher: str, machine: compose.Machine) -> None:
    """Ask one host and no other; discovery is off then."""
    changed = change_setting(machine, publisher, "host", host)
    emit(
        {"host": host, "publisher": publisher or None, "changed": changed},
        [
            f"This machine asks {host} and no other host now."
            if changed
            else f"{host} was set already; nothing was changed."
        ],
    )


@client.command("clear-host")
@publisher_option
@machine_options
def clear_host(publisher: str, machine: compose.Machine) -> None:
    """Find hosts by DNS again."""
    changed = change_setting(machine, publisher, "host", None)
    emit(
        {"host": None, "publisher": publisher or None, "changed": changed},
        [
            "Hosts are found by DNS again."
            if changed
            else "No host was set by a command; nothing was changed."
        ],
    )


@client.command("set-domain")
@click.argument("domains", metavar="DOMAIN...", nargs=-1, required=True)
@publisher_option
@machine_options
def set_domain(domains: tuple[str, ...], publisher: str, machine: compose.Machine) -> None:
    """Look for hosts in these domains and in no other."""
    changed = change_setting(machine, publisher, "suffixes", list(domains))
    emit(
        {"suffixes": list(domains), "publisher": publisher or None, "changed": changed},
        [
            f"Hosts are looked for in {', '.join(domains)} now."
            if changed
            else "These domains were set already; nothing was changed."
        ],
    )


@client.command("clear-domain")
@publisher_option
@machine_options
def clear_domain(publisher: str, machine: compose.Machine) -> None:
    """Look for hosts in the machine's own domain and search list again."""
    changed = change_setting(machine, publisher, "suffixes", None)
    emit(
        {"suffixes": None, "publisher": publisher or None, "changed": changed},
        [
            "Hosts are looked for in the machine's own domain and search list again."
            if changed
            else "No domain was set by a command; nothing was changed."
        ],
    )


@client.command("host-tls")
@click.argument("value", type=click.Choice(["on", "off"]))
@machine_options
def host_tls(value: str, machine: compose.Machine) -> None:
    """Ask hosts by TLS, and by nothing else: on or off (off by default)."""
    changed = change_setting(machine, "", "host_tls", value == "on")
    by = "by TLS" if value == "on" else "without TLS"
    emit({"host_tls": value == "on", "changed": changed}, [f"Hosts are asked {by}."])


@client.command("host-caching")
@click.argument("value", type=click.Choice(["on", "off"]))
@publisher_option
@machine_options
def host_caching(value: str, publisher: str, machine: compose.Machine) -> None:
    """Ask the host that answered last first (on), or DNS each time (off)."""
    changed = change_setting(machine, publisher, "host_caching", value == "on")
    emit(
        {"host_caching": value == "on", "publisher": publisher or None, "changed": changed},
        [f"Host caching is {value}." if changed else f"Host caching was {value} already."],
    )


def change_setting(
    machine: compose.Machine, publisher: str, name: str, value: object | None
) -> bool:
    """Write one setting for a publisher or for the machine; whether anything changed."""
    from muster.client import settings
    from muster.core.identity import check_publisher_id

    if publisher:
        check_publisher_id(publisher)
    changed = settings.change(machine.root, publisher, name, value)
    if changed:
        detail = f"{name} is not set" if value is None else f"{name} = {value}"
        machine.client().note_setting(publisher, detail)
    return changed


@client.command()
@publisher_option
@machine_options
def history(publisher: str, machine: compose.Machine) -> None:
    """Show what was changed on this machine: keys, licences, identity, settings."""
    notes = machine.client().history(publisher)
    emit(
        {
            "history": [
                {
                    "at": note.at,
                    "event": note.event.value,
                    "publisher": name,
                    "product": note.product or None,
                    "detail": note.detail,
                }
                for name, note in notes
            ]
        },
        [
            f"{_when(note.at)}  {note.event.value:<26} "
            f"{note.product or name}{'  ' + note.detail if note.detail else ''}"
            for name, note in notes
        ],
    )


@client.command()
@product_option
@machine_options
def release(product: str | None, machine: compose.Machine) -> None:
    """Give the lease of a product back to its host.

    The product is unlicensed then; it asks again when 'muster client activate' is typed.
    """
    done = machine.client().release(product)
    emit(
        {"product": done.product, "host": done.host, "changed": True},
        [f"The lease of {done.product} is given back to {done.host}."],
    )


@client.command("reset-clock-mark")
@publisher_option
@machine_options
def reset_clock_mark(publisher: str, machine: compose.Machine) -> None:
    """Forget that the clock was ever ahead; the log keeps that this was done."""
    resets = machine.client().reset_clock_mark(publisher)
    emit(
        {
            "changed": any(one.old for one in resets),
            "marks": [{"publisher": one.publisher, "old": one.old} for one in resets],
        },
        [
            f"The clock mark of {one.publisher} stood at {_when(one.old)} and is reset."
            if one.old
            else f"{one.publisher} has no clock mark; nothing was changed."
            for one in resets
        ],
    )


@client.command()
@click.argument("mode", type=click.Choice(MODES), required=False)
@click.option("--id", "given", default="", metavar="TEXT", help="The id of mode explicit.")
@publisher_option
@machine_options
def identity(mode: str | None, given: str, publisher: str, machine: compose.Machine) -> None:
    """Show how this machine identifies itself to a publisher, or change it to MODE.

    With another identity every licence of the publisher on this machine must be asked for anew.
    """
    if mode is None:
        statuses = machine.client().statuses()
        shown = {
            one.descriptor.publisher: one.identity for one in statuses if one.identity is not None
        }
        emit(
            {
                "identities": [
                    {"publisher": name, "mode": one.mode, "cmid": one.cmid}
                    for name, one in shown.items()
                ]
            },
            [f"{name}  {one.mode}  {one.cmid}" for name, one in shown.items()],
        )
        return
    done = machine.client().set_identity(mode, given, publisher)
    emit(
        {
            "publisher": done.publisher,
            "mode": done.identity.mode,
            "cmid": done.identity.cmid,
            "changed": done.changed,
        },
        [
            f"This machine is {done.identity.cmid} ({done.identity.mode}) to {done.publisher} now."
            if done.changed
            else "This is its identity already; nothing was changed."
        ],
    )


@client.command()
@click.option("--write", is_flag=True, help="Write the facts file, for users who may not read all.")
@click.option("--values", is_flag=True, help="Show values whole; by default they are masked.")
@machine_options
def facts(write: bool, values: bool, machine: compose.Machine) -> None:
    """Show by which facts this machine is known, which of them count, and why others do not.

    Values stay here and are masked, for these lines are sent to help desks. With --write the facts
    file is written, so that programs of ordinary users see the same facts as root: run it as root
    at each boot, before any product starts.
    """
    from muster.cli import facts as shown
    from muster.system.facts import facts_path, read_hardware, write_facts_file

    path = facts_path() if machine.facts is None else machine.facts
    found = None
    if write:
        found = read_hardware()
        write_facts_file(path, found)
    readings = shown.readings(None if write else machine.facts)
    lines = shown.lines(readings, whole=values)
    if found is not None:
        lines.append(f"{len(found)} facts are written to {path}.")
    emit(
        {"facts": shown.data(readings, whole=values), "written": str(path) if write else None},
        lines,
    )


@client.command()
@product_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the licence to this file, for 'muster verify'.",
)
@machine_options
def licence(product: str | None, out: Path | None, machine: compose.Machine) -> None:
    """Show the licence of a product: the bundle that anybody can verify offline."""
    from muster.core.catalogue import error
    from muster.system.files import write_atomic

    found = machine.client().status(product)
    name = found.descriptor.product.id
    if found.verdict.licence is None:
        raise found.verdict.problem or error("client/not-activated", product=name)
    text = found.verdict.licence.text
    if out is not None:
        write_atomic(out, text.encode("utf-8") + b"\n", 0o644)
    emit(
        {"product": name, "licence": text, "file": None if out is None else str(out)},
        [text if out is None else f"The licence of {name} is written to {out}."],
    )


def _when(instant: int | None) -> str:
    from muster.core.text import instant_text

    return "for ever" if instant is None else instant_text(instant)


__all__ = ["MusterCommand", "client"]
