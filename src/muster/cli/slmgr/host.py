"""The words of slmgr on a host: each calls one act or one look of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from muster.cli import compose
from muster.cli.output import emit
from muster.cli.slmgr.fields import MINUTE
from muster.cli.slmgr.host_shown import key_named, show, show_details, show_expiry
from muster.cli.slmgr.words import Call, Word, act_type
from muster.core.catalogue import error


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

    key = key_named(call)
    with compose.open_host(call.machine.root) as opened:
        activation = activate(opened, lambda known: publisher_service(known, None), key=key)
    emit(activation, activated_lines(activation))
    report_refused(activation.refused)


def _read_out(call: Call) -> None:
    from muster.cli.host.activate import read_out
    from muster.host.look import key_request

    with compose.look_at_host(call.machine.root) as opened:
        asked = key_request(opened, key=key_named(call))
    read_out(asked)


def _confirm(call: Call) -> None:
    from muster.cli.host.activate import activated_lines
    from muster.host.act.activate import confirm

    digits = call.value("a confirmation ID")
    with compose.open_host(call.machine.root) as opened:
        activation = confirm(opened, digits)
    emit(activation, activated_lines(activation))


def _set(name: str, value: Callable[[Call, str], str]) -> Callable[[Call], None]:
    """What sets one setting of the host."""

    def run(call: Call) -> None:
        from muster.cli.host.settings import setting_change_lines
        from muster.host.act.settings import set_setting

        given = value(call, name)
        with compose.open_host(call.machine.root) as opened:
            change = set_setting(opened, name, given)
        emit(change, setting_change_lines(change, given=True))

    return run


def _minutes(call: Call, name: str) -> str:
    """Minutes, as slmgr takes them, in seconds, as settings have them."""
    from muster.core.settings import Role, lookup

    setting = lookup(Role.HOST, name)
    assert setting.minimum is not None
    assert setting.maximum is not None
    least, most = setting.minimum // MINUTE, setting.maximum // MINUTE
    text = call.value("a number of minutes")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and least <= int(text) <= most):
        detail = f"{call.word} takes whole minutes, from {least} to {most}"
        raise error("client/slmgr-usage", detail=detail)
    return str(int(text) * MINUTE)


def _port(call: Call, _name: str) -> str:
    return call.value("a port")


def _true(_call: Call, _name: str) -> str:
    return "true"


def _false(_call: Call, _name: str) -> str:
    return "false"


def _upk(call: Call) -> None:
    from muster.cli.slmgr.records import NoKeyRemoved
    from muster.host import look
    from muster.host.act import enrol as act

    name = key_named(call)
    with compose.open_host(call.machine.root) as opened:
        if name is None:
            status = look.status(opened)
            installed = [key.key for known in status.publishers for key in known.keys]
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


_RETRY = _set("retry_interval", _minutes)
_RENEWAL = _set("renewal_interval", _minutes)

HOST: Mapping[str, Word] = {
    "/ipk": ("KEY", "Install a host key.", _install_key),
    "/ato": ("[ID]", "Activate the host's keys now.", _activate),
    "/dli": ("[ID|All]", "Show licence information of the host.", show),
    "/dlv": ("[ID|All]", "Show detailed licence information, and the current count.", show_details),
    "/xpr": ("[ID]", "Show until when the host may license others.", show_expiry),
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
