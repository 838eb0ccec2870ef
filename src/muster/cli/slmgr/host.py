"""The words of slmgr on a host's store (`--host`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from muster.cli import compose
from muster.cli.output import emit
from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.fields import MINUTE, VERSION, Fields, named, printed, span
from muster.cli.slmgr.words import REFUSED, Call, refused, unknown
from muster.core.catalogue import error
from muster.core.states import STATES, LicenceState

if TYPE_CHECKING:
    from muster.host.results import HostStatus, KeyStatus, PublisherStatus, SettingState


def speak(call: Call) -> None:
    """Do what the word means on a host."""
    word, store = call.word, call.machine.root
    match word:
        case "/ipk":
            _install_key(call)
        case "/ato":
            _activate(store)
        case "/dti":
            _read_out(store)
        case "/atp":
            _confirm(store, call.value("a confirmation ID"))
        case "/dli" | "/dlv":
            _show_host(store, long=word == "/dlv")
        case "/sprt":
            _set_on_host(store, "port", call.value("a port"))
        case "/sai":
            _set_on_host(store, "retry_interval", _minutes(call))
        case "/sri":
            _set_on_host(store, "renewal_interval", _minutes(call))
        case "/sdns":
            _set_on_host(store, "publish_dns", "true")
        case "/cdns":
            _set_on_host(store, "publish_dns", "false")
        case _ if word in CLIENT:
            raise refused(
                f"{word} --host",
                "This option is for a client.",
                f"Leave --host out: 'muster slmgr {word}'.",
            )
        case _ if word in REFUSED:
            why, fix = REFUSED[word]
            raise refused(word, why, fix)
        case _:
            raise unknown(word)


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


def _activate(store: Path) -> None:
    from muster.cli.host.activate import activated_lines
    from muster.cli.host.options import publisher_service
    from muster.host.act.activate import activate

    with compose.open_host(store) as opened:
        activation = activate(opened, lambda known: publisher_service(known, None))
    emit(activation, activated_lines(activation))


def _read_out(store: Path) -> None:
    from muster.cli.host.activate import read_out
    from muster.host.look import key_request

    with compose.look_at_host(store) as opened:
        asked = key_request(opened)
    read_out(asked)


def _confirm(store: Path, digits: str) -> None:
    from muster.cli.host.activate import activated_lines
    from muster.host.act.activate import confirm

    with compose.open_host(store) as opened:
        activation = confirm(opened, digits)
    emit(activation, activated_lines(activation))


def _set_on_host(store: Path, name: str, value: str) -> None:
    from muster.cli.host.settings import setting_change_lines
    from muster.host.act.settings import set_setting

    with compose.open_host(store) as opened:
        change = set_setting(opened, name, value)
    emit(change, setting_change_lines(change, given=True))


def _minutes(call: Call) -> str:
    """Minutes, as slmgr takes them, in seconds, as settings have them."""
    text = call.value("a number of minutes")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise error("client/slmgr-usage", detail=f"{call.word} takes whole minutes")
    return str(int(text) * MINUTE)


def _show_host(store: Path, *, long: bool) -> None:
    from muster.cli.slmgr.records import ShownHost
    from muster.core.records import widened
    from muster.host import look

    with compose.look_at_host(store) as opened:
        status = look.status(opened)
    blocks = [
        _host_fields(status, publisher, key, long=long)
        for publisher in status.publishers
        for key in publisher.keys
    ] or [[("", "This license is not in use: no host key is installed.")]]
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
        hint = "Run 'muster slmgr --host /ato' to activate this host."
        return [VERSION, *fields, ("", hint)]
    settings, listening = status.settings, status.listening
    port = settings["port"].value if listening is None else listening.port
    publishing = "enabled" if settings["publish_dns"].value else "disabled"
    # Of the applications, those with products that this key licenses: each key has its block.
    counted = [
        application
        for application in status.applications
        if application.publisher == publisher.publisher
        and any(product.group in grant.covers for product in application.products)
    ]
    several = len(counted) > 1
    fields += [("", ""), ("", "Key Management Service is enabled on this machine")]
    fields += [
        ("    Current count", f"{status.count}{' (' + status.application + ')' if several else ''}")
        for status in counted
    ]
    fields += [
        ("    Listening on Port", str(port)),
        ("", f"    DNS publishing {publishing}"),
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


def _interval(setting: SettingState) -> str:
    if not setting.set:
        return "as each product says"
    assert isinstance(setting.value, int)
    return f"{setting.value // MINUTE} minutes"
