"""`muster slmgr …`: the words that administrators of volume activation know.

One word a call, in any case, with `/` or `-` before it: `muster slmgr /dlv`. It prints the field
names that they look for; with `--json` the same as data. What has no meaning here is refused with
a hint. On a host's store (`--host`) /ipk, /ato, /dli and /dlv speak of the host.
Source: docs/client.md, "By the words of slmgr".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster import __version__
from muster.cli import compose
from muster.cli.client import (
    change_setting,
    machine_options,
    product_option,
    readout_data,
    readout_lines,
    report_activations,
    status_data,
    warn_not_lasting,
)
from muster.cli.output import MusterCommand, emit
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.keys import KeyId, Kind
from muster.core.states import LicenceState

if TYPE_CHECKING:
    from muster.client.results import Status
    from muster.host.results import HostStatus, KeyStatus, PublisherStatus, SettingState

Fields = list[tuple[str, str]]
"""Field names and values in the order in which they are printed; an empty name is a heading."""

_MINUTE, _DAY_MINUTES = 60, 1440
_ALL = "all"


@dataclass(frozen=True, slots=True)
class _Call:
    """One call: the word, what follows it, and where."""

    word: str
    values: tuple[str, ...]
    product: str | None
    machine: compose.Machine

    def value(self, what: str) -> str:
        """The one value that the word needs."""
        if not self.values:
            raise error("client/slmgr-usage", detail=f"{self.word} needs {what}")
        return self.values[0]

    def chosen(self, place: int = 0) -> str | None:
        """The product: from the option, or as an activation ID after the word; None for all."""
        given = self.values[place] if len(self.values) > place else None
        if given is not None and given.lower() == _ALL:
            return None
        return self.product if given is None else given


# Words of a client.


def _ipk(call: _Call) -> None:
    client = call.machine.client()
    done = client.install_key(call.value("a product key"), call.product)
    data = {
        "product": done.product,
        "publisher": done.publisher,
        "key": done.key,
        "changed": done.changed,
        "state": int(done.state),
    }
    emit(data, [f"Installed product key {done.key} successfully."])


def _ato(call: _Call) -> None:
    client = call.machine.client()
    warn_not_lasting(client, call.chosen())
    report_activations(client.activate(call.chosen()))


def _dti(call: _Call) -> None:
    found = call.machine.client().installation_id(call.chosen())
    lines = [f"Installation ID: {found.installation_id.text}", "", *readout_lines(found)]
    emit(readout_data(found), lines)


def _atp(call: _Call) -> None:
    digits = call.value("a confirmation ID")
    report_activations([call.machine.client().confirm(digits, call.product)])


def _dli(call: _Call) -> None:
    _show(call, _short_fields)


def _dlv(call: _Call) -> None:
    _show(call, _long_fields)


def _show(call: _Call, fields: Callable[[Status], Fields]) -> None:
    statuses = call.machine.client().statuses(call.chosen())
    listed = [(one, fields(one)) for one in statuses]
    lines: list[str] = []
    for _, each in listed:
        lines += [*_printed(each), ""]
    products = [
        {**status_data(one), "fields": {name: value for name, value in each if name}}
        for one, each in listed
    ]
    emit({"products": products}, lines[:-1])


def _printed(fields: Fields) -> list[str]:
    return [f"{name}: {value}" if name else value for name, value in fields]


_EXPIRATION = "Volume activation expiration"


def _short_fields(one: Status) -> Fields:
    verdict, product = one.verdict, one.descriptor.product
    edition = f", {product.edition} edition" if product.edition else ""
    fields: Fields = [
        ("Name", f"{product.name}{edition}"),
        ("Description", f"{product.application}, {_channels(one)[0]} channel"),
    ]
    record = verdict.record
    if record is None or not record.key:
        return [*fields, ("", "This license is not in use.")]
    fields.append(("Partial Product Key", record.masked[-5:]))
    fields.append(("License Status", verdict.state.text))
    now = compose.clock().now()
    if verdict.licensed:
        if verdict.until is None:
            fields.append(("", "The machine is permanently activated."))
        else:
            evaluated = verdict.state is LicenceState.EXTENDED_GRACE
            name = "Timebased activation expiration" if evaluated else _EXPIRATION
            fields.append((name, _span(verdict.until - now)))
    elif verdict.until is not None:
        fields.append(("Time remaining", _span(verdict.until - now)))
    problem = verdict.problem
    if problem is not None:
        reason = problem.row.field_code or problem.code
        fields.append(("Notification Reason", f"{reason} ({problem.code}): {problem.what}"))
    return fields


_CHANNELS = {
    Kind.MAK: ("VOLUME_MAK", "Volume:MAK (multiple activation key)"),
    Kind.EVALUATION: ("EVALUATION", "Evaluation (evaluation key)"),
    Kind.RETAIL: ("RETAIL", "Retail (key for one machine)"),
}


def _channels(one: Status) -> tuple[str, str]:
    """The channel of a product as its description and its key name it: the key decides."""
    record = one.verdict.record
    kind = KeyId.parse(record.key).kind if record is not None and record.key else Kind.SETUP
    channel = one.descriptor.product.channel
    volume = {"volume": "VOLUME_KMSCLIENT"}.get(channel, channel.upper())
    return _CHANNELS.get(kind, (volume, "Volume:GVLK (setup key)"))


def _span(seconds: int) -> str:
    """Minutes, and days rounded up, as administrators read them."""
    minutes = max(0, seconds) // _MINUTE
    days = -(-minutes // _DAY_MINUTES)
    return f"{minutes} minute(s) ({days} day(s))"


def _long_fields(one: Status) -> Fields:
    verdict, product = one.verdict, one.descriptor.product
    short = _short_fields(one)
    record = verdict.record
    ids: Fields = [
        ("Activation ID", f"{one.descriptor.publisher}/{product.id}"),
        ("Application ID", product.application),
        ("Extended PID", record.key if record is not None and record.key else "none"),
        ("Product Key Channel", _channels(one)[1]),
    ]
    version: Fields = [("Software licensing service version", __version__)]
    fields = version + short[:2] + ids + short[2:]
    fields.append(("Trusted time", _when(max(compose.clock().now(), verdict.authority.clock_mark))))
    if record is None or not record.key or KeyId.parse(record.key).kind is not Kind.SETUP:
        return fields
    return fields + _client_block(one)


def _client_block(one: Status) -> Fields:
    """What KMS clients print of their host, with the names that administrators look for."""
    record, identity, licence = one.verdict.record, one.identity, one.verdict.licence
    fields: Fields = [("", ""), ("", "Key Management Service client information")]
    if identity is not None:
        fields.append(("    Client Machine ID (CMID)", identity.cmid))
        fields.append(("    Identity mode", identity.mode))
    last = None if record is None else record.last_good
    if one.plan.host is not None:
        fields.append(("    Registered KMS machine name", one.plan.host.text))
    elif last is not None:
        fields.append(("    KMS machine name from DNS", last.text))
    else:
        domains = ", ".join(one.plan.suffixes)
        about = f"not asked yet (domains: {domains})" if domains else "not available"
        fields.append(("    KMS machine name from DNS", about))
    if one.plan.host is None and one.plan.suffixes:
        fields.append(("    KMS lookup domain", ", ".join(one.plan.suffixes)))
    ip = "" if record is None else record.last_ip
    fields.append(("    KMS machine IP address", ip or "not available"))
    pid = "not available" if licence is None else licence.key
    fields.append(("    KMS machine extended PID", pid))
    spans = one.descriptor.product.spans
    retry, renew = spans.retry_after, spans.renew_after
    if licence is not None and licence.retry_after is not None and licence.renew_at is not None:
        retry, renew = licence.retry_after, licence.renew_at - licence.issued
    fields.append(("    Activation interval", f"{retry // _MINUTE} minutes"))
    fields.append(("    Renewal interval", f"{renew // _MINUTE} minutes"))
    caching = "enabled" if one.plan.caching else "disabled"
    fields.append(("", f"    KMS host caching is {caching}"))
    if licence is None:
        hint = "    Run 'muster slmgr /ato' to activate and to update these values."
        fields.append(("", hint))
    return fields


def _xpr(call: _Call) -> None:
    from muster.core.states import GRACES, LicenceState

    lines: list[str] = []
    products: list[dict[str, Any]] = []
    for one in call.machine.client().statuses(call.chosen()):
        verdict = one.verdict
        if verdict.licensed and verdict.until is None:
            text = "The machine is permanently activated."
        elif verdict.licensed:
            text = f"Volume activation will expire {_when(verdict.until)}"
        elif verdict.state in GRACES:
            text = f"{verdict.state.text} ends {_when(verdict.until)}"
        elif verdict.state is LicenceState.NOTIFICATION:
            text = "The machine is in Notification mode"
        else:
            text = "The machine is unlicensed"
        lines += [f"{one.descriptor.product.name}:", f"    {text}"]
        products.append({**status_data(one), "text": text})
    emit({"products": products}, lines)


def _upk(call: _Call) -> None:
    done = call.machine.client().uninstall_key(call.chosen())
    text = "Uninstalled product key successfully." if done.changed else "Product key not found."
    emit({"product": done.product, "changed": done.changed, "state": int(done.state)}, [text])


def _cpky(call: _Call) -> None:
    statuses = call.machine.client().statuses(call.chosen())
    emit(
        {"changed": False, "products": [one.descriptor.product.id for one in statuses]},
        [
            "There is nothing to clear: the store never holds a product key, and what it keeps"
            " to verify and to show (the last group) does not give the key back."
        ],
    )


def _skms(call: _Call) -> None:
    text = call.value("a host name with or without a port")
    if text.startswith(":"):
        raise _refused(
            "/skms :PORT",
            "A port without a host cannot be set; SRV records carry the port of each host.",
            "Give the host too: 'muster slmgr /skms HOST:PORT'.",
        )
    changed = change_setting(call.machine, "", "host", text)
    emit(
        {"host": text, "changed": changed},
        [f"Key Management Service machine name set to {text} successfully."],
    )


def _ckms(call: _Call) -> None:
    changed = change_setting(call.machine, "", "host", None)
    emit(
        {"host": None, "changed": changed},
        ["Key Management Service machine name cleared successfully."],
    )


def _skms_domain(call: _Call) -> None:
    domain = call.value("a domain name")
    changed = change_setting(call.machine, "", "suffixes", [domain])
    emit(
        {"suffixes": [domain], "changed": changed},
        [f"Key Management Service lookup domain set to {domain} successfully."],
    )


def _ckms_domain(call: _Call) -> None:
    changed = change_setting(call.machine, "", "suffixes", None)
    emit(
        {"suffixes": None, "changed": changed},
        ["Key Management Service lookup domain cleared successfully."],
    )


def _skhc(call: _Call) -> None:
    changed = change_setting(call.machine, "", "host_caching", True)
    emit({"host_caching": True, "changed": changed}, ["KMS host caching is enabled."])


def _ckhc(call: _Call) -> None:
    changed = change_setting(call.machine, "", "host_caching", False)
    emit({"host_caching": False, "changed": changed}, ["KMS host caching is disabled."])


_CLIENT: Mapping[str, tuple[str, str, Callable[[_Call], None]]] = {
    "/ipk": ("KEY", "Install a product key.", _ipk),
    "/ato": ("[ID]", "Activate now.", _ato),
    "/dli": ("[ID|All]", "Show licence information.", _dli),
    "/dlv": ("[ID|All]", "Show detailed licence information.", _dlv),
    "/xpr": ("[ID]", "Show until when the product is licensed.", _xpr),
    "/upk": ("[ID]", "Uninstall the product key.", _upk),
    "/cpky": ("", "Clear the product key (the store never holds one).", _cpky),
    "/skms": ("HOST[:PORT]", "Ask this host only; no DNS.", _skms),
    "/ckms": ("", "Find hosts by DNS again.", _ckms),
    "/skms-domain": ("DOMAIN", "Look for hosts in this domain only.", _skms_domain),
    "/ckms-domain": ("", "Look in the machine's own domains again.", _ckms_domain),
    "/skhc": ("", "Ask the host that answered last first.", _skhc),
    "/ckhc": ("", "Ask DNS each time.", _ckhc),
    "/dti": ("[PRODUCT]", "Show the installation ID for the telephone.", _dti),
    "/atp": ("CONFIRMATION-ID", "Activate with the confirmation ID that was read back.", _atp),
}
"""Words that this machine understands: what follows them, what they do, who does it."""

_NO_TOKENS = "There are no activation tokens here: machines ask hosts, which need no login."
_NO_FOREST = "There is no directory activation: a host serves machines of every domain and of none."
_NO_FILES = "A product's licence terms stand in its descriptor; there are no licence files."
_REFUSED: Mapping[str, tuple[str, str]] = {
    "/rearm": (
        "A new grace is not needed before an image is made, and this release does not offer it.",
        "For an image of many machines see 'Golden images' in docs/client.md.",
    ),
    "/rearm-app": (
        "Graces belong to single products, and this release starts none afresh.",
        "For an image of many machines see 'Golden images' in docs/client.md.",
    ),
    "/rearm-sku": (
        "A new grace is not needed before an image is made, and this release does not offer it.",
        "For an image of many machines see 'Golden images' in docs/client.md.",
    ),
    "/act-type": (
        "There is one way of volume activation, by hosts, so that none needs choosing.",
        "The installed product key decides: 'muster slmgr /ipk KEY'.",
    ),
    "/ilc": (_NO_FILES, "Use 'muster client product add FILE' with the product's descriptor."),
    "/rilc": (_NO_FILES, "Use 'muster client product add FILE' with the product's descriptor."),
    "/sprt": ("The port belongs to a host.", "On the host: 'muster host set port PORT'."),
    "/sai": (
        "The activation interval belongs to a host, in seconds.",
        "On the host: 'muster host set retry_interval SECONDS'.",
    ),
    "/sri": (
        "The renewal interval belongs to a host, in seconds.",
        "On the host: 'muster host set renewal_interval SECONDS'.",
    ),
    "/sdns": (
        "DNS publishing belongs to a host.",
        "On the host: 'muster host set publish_dns true'.",
    ),
    "/cdns": (
        "DNS publishing belongs to a host.",
        "On the host: 'muster host set publish_dns false'.",
    ),
    "/spri": (
        "A host runs at the priority that its service manager gives it.",
        "Set Nice= in the unit of the host's service.",
    ),
    "/cpri": (
        "A host runs at the priority that its service manager gives it.",
        "Set Nice= in the unit of the host's service.",
    ),
    "/lil": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ril": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ltc": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/fta": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/stao": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ctao": (_NO_TOKENS, "Use 'muster slmgr /ato'."),
    "/ad-activation-online": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/ad-activation-get-iid": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/ad-activation-apply-cid": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/ao-list": (_NO_FOREST, "Set up a host: 'muster host init'."),
    "/del-ao": (_NO_FOREST, "Set up a host: 'muster host init'."),
}
"""Words that have no meaning here: why, and what to do instead."""


def _refused(word: str, why: str, fix: str) -> MusterError:
    return error("client/slmgr-word", word=word, why=why.rstrip("."), fix=fix.rstrip("."))


def _help() -> str:
    rows = [(f"{word} {value}".strip(), text) for word, (value, text, _) in _CLIENT.items()]
    wide = max(len(left) for left, _ in rows) + 2
    listed = "\n".join(f"  {left:<{wide}}{text}" for left, text in rows)
    return f"\b\nWords:\n{listed}\n\nAn ID is a product id; All shows every product."


@click.command(
    cls=MusterCommand,
    epilog=_help(),
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="/WORD [VALUE]")
@click.option("--host", "on_host", is_flag=True, help="Speak of the host in this store.")
@product_option
@machine_options
def slmgr(
    words: tuple[str, ...], on_host: bool, product: str | None, machine: compose.Machine
) -> None:
    """Do what slmgr does, by the same words: muster slmgr /dlv

    Words may be typed in any case, with / or - before them.
    """
    if not words:
        raise error("client/slmgr-usage", detail="no word was given")
    word = "/" + words[0].lower().lstrip("/-")
    values = words[1:]
    if on_host:
        _on_host(word, values, machine)
        return
    if word in _REFUSED:
        why, fix = _REFUSED[word]
        raise _refused(words[0], why, fix)
    if word not in _CLIENT:
        shown = ascii(words[0])[1:-1][:40]
        raise error("client/slmgr-usage", detail=f"{shown} is not one of its words")
    allowed = 1 if _CLIENT[word][0] else 0
    if len(values) > allowed:
        raise error("client/slmgr-usage", detail=f"{word} takes at most {allowed} values")
    _CLIENT[word][2](_Call(word, values, product, machine))


# Words on a host's store.


def _on_host(word: str, values: tuple[str, ...], machine: compose.Machine) -> None:
    """Do what the word means on a host: mostly a command of `muster host` by its old name."""
    from muster.cli.host.activate import activate
    from muster.cli.host.enrol import install_key

    call = _Call(word, values, None, machine)
    context = click.get_current_context()
    store = machine.root
    match word:
        case "/ipk":
            key = call.value("a host key")
            context.invoke(install_key, store=store, publisher=None, key=key, facts=machine.facts)
        case "/ato":
            context.invoke(activate, **_activation(store))
        case "/dti":
            context.invoke(activate, **{**_activation(store), "telephone": True})
        case "/atp":
            digits = call.value("a confirmation ID")
            context.invoke(activate, **{**_activation(store), "confirmation_id": digits})
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
        case _ if word in _CLIENT:
            raise _refused(
                f"{word} --host",
                "The word speaks of a client.",
                f"Leave --host out: 'muster slmgr {word}'.",
            )
        case _ if word in _REFUSED:
            why, fix = _REFUSED[word]
            raise _refused(word, why, fix)
        case _:
            shown = ascii(word)[1:-1][:40]
            raise error("client/slmgr-usage", detail=f"{shown} is not one of its words")


def _activation(store: Path) -> dict[str, Any]:
    """The options of `muster host activate`, none given."""
    doors = ("publisher", "key", "publisher_url", "request_file", "reply_file", "confirmation_id")
    none = dict.fromkeys((*doors, "qr_file"))
    return {"store": store, "telephone": False, "show_qr": False, **none}


def _set_on_host(store: Path, name: str, value: str) -> None:
    from muster.cli.host.settings import setting_change_lines
    from muster.host.act.settings import set_setting

    with compose.open_host(store) as opened:
        done = set_setting(opened, name, value)
    emit(done, setting_change_lines(done, given=True))


def _minutes(call: _Call) -> str:
    """Minutes, as slmgr takes them, in seconds, as settings have them."""
    text = call.value("a number of minutes")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise error("client/slmgr-usage", detail=f"{call.word} takes whole minutes")
    return str(int(text) * _MINUTE)


def _show_host(store: Path, *, long: bool) -> None:
    from muster.core.records import encode
    from muster.host import look

    with compose.open_host(store) as opened:
        status = look.status(opened)
    blocks = [
        _host_fields(status, publisher, key, long=long)
        for publisher in status.publishers
        for key in publisher.keys
    ] or [[("", "This license is not in use: no host key is installed.")]]
    lines: list[str] = []
    for each in blocks:
        lines += [*_printed(each), ""]
    fields = [{name.strip(): value for name, value in each if name} for each in blocks]
    emit({**encode(status), "fields": fields}, lines[:-1])


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
        fields.append(("Volume activation expiration", _span(left)))
    if not long:
        return fields
    fields[2:2] = [
        ("Activation ID", f"{publisher.publisher}/{key.key}"),
        ("Extended PID", key.key),
        ("Product Key Channel", "Volume:CSVLK (host key)"),
    ]
    if grant is None or grant.code:
        hint = "Run 'muster slmgr --host /ato' to activate this host."
        return [("Software licensing service version", __version__), *fields, ("", hint)]
    settings, listening = status.settings, status.listening
    port = settings["port"].value if listening is None else listening.port
    publishing = "enabled" if settings["publish_dns"].value else "disabled"
    # Of the applications, those with products that this key licenses: each key has its block.
    counted = [
        one
        for one in status.applications
        if one.publisher == publisher.publisher
        and any(product.group in grant.covers for product in one.products)
    ]
    several = len(counted) > 1
    fields += [("", ""), ("", "Key Management Service is enabled on this machine")]
    fields += [
        ("    Current count", f"{one.count}{' (' + one.application + ')' if several else ''}")
        for one in counted
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
    from muster.core.states import STATES, LicenceState

    fields += [
        (
            f"    Requests with License Status {STATES[state].text}",
            str(status.requests.by_state[str(int(state))]),
        )
        for state in LicenceState
    ]
    return [("Software licensing service version", __version__), *fields]


def _interval(setting: SettingState) -> str:
    if not setting.set:
        return "as each product says"
    assert isinstance(setting.value, int)
    return f"{setting.value // _MINUTE} minutes"


def _when(instant: int | None) -> str:
    from muster.core.text import instant_text

    return "for ever" if instant is None else instant_text(instant)
