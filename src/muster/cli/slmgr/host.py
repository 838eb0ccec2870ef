"""The words of slmgr on a host: each calls one act or one look of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from muster.cli import compose
from muster.cli.client.words import when
from muster.cli.output import emit
from muster.cli.slmgr.fields import MINUTE, VERSION, Fields, named, printed, span
from muster.cli.slmgr.words import Call, Word, act_type
from muster.core.catalogue import error
from muster.core.states import STATES, LicenceState

if TYPE_CHECKING:
    from muster.cli.slmgr.records import HostExpiry
    from muster.host.results import HostStatus, KeyStatus, PublisherStatus, SettingState
    from muster.host.running import HostProcess


_NOT_IN_USE = "This license is not in use: no host key is installed."


def _install_key(call: Call) -> None:
    from muster.cli.host.enrol import installation_lines
    from muster.core.facts import clean_facts
    from muster.core.keys import parse_product_key
    from muster.host.act import enrol as act
    from muster.host.keys import check_kind
    from muster.system.facts import read_facts

    key = call.key("a host key")
    check_kind(parse_product_key(key))
    with compose.open_host(call.machine.root) as opened:
        installation = act.install_key(opened, key, clean_facts(read_facts(call.machine.facts)))
    emit(installation, installation_lines(installation))


def _activate(call: Call) -> None:
    from muster.cli.host.activate import activated_lines
    from muster.cli.host.options import publisher_service, report_refused
    from muster.host.act.activate import activate

    key = _key_named(call)
    with compose.open_host(call.machine.root) as opened:
        activation = activate(opened, lambda known: publisher_service(known, None), key=key)
    emit(activation, activated_lines(activation))
    report_refused(activation.refused)


def _read_out(call: Call) -> None:
    from muster.cli.host.activate import read_out
    from muster.host.look import key_request

    with compose.look_at_host(call.machine.root) as opened:
        asked = key_request(opened, key=_key_named(call))
    read_out(asked)


def _confirm(call: Call) -> None:
    from muster.cli.host.activate import activated_lines
    from muster.host.act.activate import confirm

    digits = call.value("a confirmation ID")
    with compose.open_host(call.machine.root) as opened:
        activation = confirm(opened, digits)
    emit(activation, activated_lines(activation))


def _set(name: str, value: Callable[[Call], str]) -> Callable[[Call], None]:
    """What sets one setting of the host."""

    def run(call: Call) -> None:
        from muster.cli.host.settings import setting_change_lines
        from muster.host.act.settings import set_setting

        given = value(call)
        with compose.open_host(call.machine.root) as opened:
            change = set_setting(opened, name, given)
        emit(change, setting_change_lines(change, given=True))

    return run


def _minutes(call: Call) -> str:
    """Minutes, as slmgr takes them, in seconds, as settings have them."""
    text = call.value("a number of minutes")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise error("client/slmgr-usage", detail=f"{call.word} takes whole minutes")
    return str(int(text) * MINUTE)


def _port(call: Call) -> str:
    return call.value("a port")


def _true(_call: Call) -> str:
    return "true"


def _false(_call: Call) -> str:
    return "false"


def _key_named(call: Call) -> str | None:
    """The host key that an ID names: as /dlv shows it, by key id or by last group; None for all."""
    chosen = call.chosen()
    return None if chosen is None else chosen.rpartition("/")[2]


def _shown_keys(call: Call, status: HostStatus) -> list[tuple[PublisherStatus, KeyStatus]]:
    """The installed keys that a look is about."""
    name = _key_named(call)
    listed = [(publisher, key) for publisher in status.publishers for key in publisher.keys]
    if name is None:
        return listed
    wanted = [pair for pair in listed if name.upper() in (pair[1].key, pair[1].partial)]
    if not wanted:
        raise error("host/unknown-key", key=ascii(name)[1:-1][:32])
    return wanted


def _dli(call: Call) -> None:
    _show_host(call, long=False)


def _dlv(call: Call) -> None:
    _show_host(call, long=True)


def _xpr(call: Call) -> None:
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


def _upk(call: Call) -> None:
    from muster.cli.slmgr.records import NoKeyRemoved
    from muster.host import look
    from muster.host.act import enrol as act

    name = _key_named(call)
    with compose.open_host(call.machine.root) as opened:
        if name is None:
            status = look.status(opened)
            installed = [key.partial for known in status.publishers for key in known.keys]
            if not installed:
                emit(NoKeyRemoved(changed=False), ["Product key not found."])
                return
            if len(installed) > 1:
                detail = f"/upk needs the ID of one host key, of {', '.join(installed)}"
                raise error("client/slmgr-usage", detail=detail)
            name = installed[0]
        removal = act.remove_key(opened, name)
    emit(removal, ["Uninstalled product key successfully."])


def _cpky(_call: Call) -> None:
    from muster.cli.slmgr.records import NothingCleared

    text = "There is nothing to clear: a host does not keep what gives a product key back."
    emit(NothingCleared(changed=False, products=()), [text])


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


def _publishing(process: HostProcess | None) -> str:
    if process is None or process.dns is None:
        return "not running" if process is None else "not known"
    return "enabled" if process.dns.enabled else "disabled"


def _interval(setting: SettingState) -> str:
    if not setting.set:
        return "as each product says"
    assert isinstance(setting.value, int)
    return f"{setting.value // MINUTE} minutes"


_RETRY = _set("retry_interval", _minutes)
_RENEWAL = _set("renewal_interval", _minutes)

HOST: Mapping[str, Word] = {
    "/ipk": ("KEY", "Install a host key.", _install_key),
    "/ato": ("[ID]", "Activate the host's keys now.", _activate),
    "/dli": ("[ID|All]", "Show licence information of the host.", _dli),
    "/dlv": ("[ID|All]", "Show detailed licence information, and the current count.", _dlv),
    "/xpr": ("[ID]", "Show until when the host may license others.", _xpr),
    "/upk": ("[ID]", "Uninstall a host key.", _upk),
    "/cpky": ("", "Clear the product key (a host keeps none).", _cpky),
    "/sprt": ("PORT", "Listen on this port, from the next start on.", _set("port", _port)),
    "/sai": (
        "MINUTES",
        "Set how soon a refused client asks again.",
        _RETRY,
    ),
    "/sri": (
        "MINUTES",
        "Set how often a licensed client renews.",
        _RENEWAL,
    ),
    "/sdns": ("", "Publish SRV records.", _set("publish_dns", _true)),
    "/cdns": ("", "Publish no SRV records.", _set("publish_dns", _false)),
    "/act-type": (
        "[TYPE]",
        "Show that KMS is the type of volume activation.",
        act_type,
    ),
    "/dti": ("[ID]", "Show the installation ID of a host key for the telephone.", _read_out),
    "/atp": ("CONFIRMATION-ID", "Activate with the confirmation ID that was read back.", _confirm),
}
"""Words that a host understands: what follows them, what they do, who does it."""
