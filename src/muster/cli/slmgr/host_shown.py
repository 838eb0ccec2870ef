"""What slmgr shows of a host: `/dli`, `/dlv` and `/xpr`, a block for each host key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muster.cli import compose
from muster.cli.client.words import when
from muster.cli.output import emit
from muster.cli.slmgr.fields import MINUTE, VERSION, Fields, named, printed, span
from muster.cli.slmgr.words import Call
from muster.core.catalogue import error
from muster.core.states import STATES, LicenceState

if TYPE_CHECKING:
    from muster.cli.slmgr.records import HostExpiry
    from muster.host.results import HostStatus, KeyStatus, PublisherStatus, SettingState
    from muster.host.running import HostProcess

_NOT_IN_USE = "This license is not in use: no host key is installed."


def key_named(call: Call) -> str | None:
    """The host key that an ID names: as /dlv shows it, by key id or by last group; None for all."""
    chosen = call.chosen()
    return None if chosen is None else chosen.rpartition("/")[2]


def _shown_keys(call: Call, status: HostStatus) -> list[tuple[PublisherStatus, KeyStatus]]:
    """The installed keys that a look is about."""
    name = key_named(call)
    listed = [(publisher, key) for publisher in status.publishers for key in publisher.keys]
    if name is None:
        return listed
    wanted = [pair for pair in listed if name.upper() in (pair[1].key, pair[1].partial)]
    if not wanted:
        raise error("host/unknown-key", key=ascii(name)[1:-1][:32])
    return wanted


def show(call: Call) -> None:
    """What `/dli` prints."""
    _show_host(call, long=False)


def show_details(call: Call) -> None:
    """What `/dlv` prints."""
    _show_host(call, long=True)


def show_expiry(call: Call) -> None:
    """What `/xpr` prints."""
    from muster.cli.slmgr.records import HostExpiries
    from muster.host import look

    with compose.look_at_host(call.machine.root) as opened:
        status = look.status(opened)
    shown = tuple(_expiry(publisher, key) for publisher, key in _shown_keys(call, status))
    lines = [line for row in shown for line in (f"{row.publisher}/{row.key}:", f"    {row.text}")]
    emit(HostExpiries(shown), lines or [_NOT_IN_USE])


def _expiry(publisher: PublisherStatus, key: KeyStatus) -> HostExpiry:
    from muster.cli.slmgr.records import HostExpiry

    grant = key.grant
    licensed = grant is not None and not grant.code
    ends = grant.expires_at if grant is not None and licensed else None
    text = "The machine is permanently activated." if licensed else "The machine is unlicensed"
    if ends is not None:
        text = f"Volume activation will expire {when(ends)}"
    return HostExpiry(publisher.publisher, key.key, key.partial, licensed, ends, text)


def _show_host(call: Call, *, long: bool) -> None:
    from muster.cli.slmgr.records import ShownHost
    from muster.core.records import widened
    from muster.host import look

    with compose.look_at_host(call.machine.root) as opened:
        status = look.status(opened)
    blocks = [
        _host_fields(status, publisher, key, long=long)
        for publisher, key in _shown_keys(call, status)
    ] or [[("", _NOT_IN_USE)]]
    lines = [line for block in blocks for line in (*printed(block), "")]
    fields = tuple(
        {name.strip(): value for name, value in named(block).items()} for block in blocks
    )
    emit(widened(ShownHost, status, fields=fields), lines[:-1])


def _host_fields(
    status: HostStatus, publisher: PublisherStatus, key: KeyStatus, *, long: bool
) -> Fields:
    """The block of one host key, with the names that administrators of KMS hosts look for."""
    grant = key.grant
    covers = "none yet" if grant is None else ", ".join(grant.covers)
    licensed = grant is not None and not grant.code
    fields: Fields = [
        ("Name", f"{publisher.name} activation host"),
        ("Description", f"licenses {covers}, VOLUME_KMS channel"),
        ("Partial Product Key", key.partial),
        ("License Status", "Licensed" if licensed else "Unlicensed"),
    ]
    if grant is not None and grant.code:
        fields.append(("Notification Reason", grant.code))
    if grant is not None and grant.expires_at is not None:
        left = grant.expires_at - status.time
        fields.append(("Volume activation expiration", span(left)))
    if not long:
        return fields
    fields[2:2] = [
        ("Activation ID", f"{publisher.publisher}/{key.key}"),
        ("Extended PID", key.key),
        ("Product Key Channel", "Volume:CSVLK (host key)"),
    ]
    if grant is None or grant.code:
        hint = "Run 'muster slmgr /ato' to activate this host."
        return [VERSION, *fields, ("", hint)]
    settings, process = status.settings, status.process
    running = "is enabled" if process is not None else "is NOT RUNNING"
    if process is not None and process.answers and publisher.publisher not in process.serving:
        running = "is NOT SERVING"
    port = "not running" if process is None else process.port or "it does not answer"
    # Of the applications, those with products that this key licenses: each key has its block.
    counted = [
        application
        for application in status.applications
        if application.publisher == publisher.publisher
        and any(product.group in grant.covers for product in application.products)
    ]
    several = len(counted) > 1
    fields += [("", ""), ("", f"Key Management Service {running} on this machine")]
    fields += [
        ("    Current count", f"{status.count}{' (' + status.application + ')' if several else ''}")
        for status in counted
    ]
    fields += [
        ("    Listening on Port", str(port)),
        ("", f"    DNS publishing {_publishing(process)}"),
        ("    Activation interval", _interval(settings["retry_interval"])),
        ("    Renewal interval", _interval(settings["renewal_interval"])),
        *_problems(process),
        ("", ""),
        ("", "Key Management Service cumulative requests received from clients"),
        ("    Total requests received", str(status.requests.total)),
        ("    Failed requests received", str(status.requests.failed)),
    ]
    fields += [
        (
            f"    Requests with License Status {STATES[state].text}",
            str(status.requests.by_state[str(int(state))]),
        )
        for state in LicenceState
    ]
    return [VERSION, *fields]


def _problems(process: HostProcess | None) -> Fields:
    """What is wrong with the process that runs, as `muster host status` says it."""
    problems = () if process is None else process.problems
    return [("    Problem", f"{problem.code}: {problem.what}") for problem in problems]


def _publishing(process: HostProcess | None) -> str:
    if process is None or process.dns is None:
        return "not running" if process is None else "not known"
    return "enabled" if process.dns.enabled else "disabled"


def _interval(setting: SettingState) -> str:
    if not setting.set:
        return "as each product says"
    assert isinstance(setting.value, int)
    return f"{setting.value // MINUTE} minutes"
