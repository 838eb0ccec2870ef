"""The words of slmgr that a client understands: each calls one act or one look of the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from muster.cli.client.words import readout_lines, report_activations, warn_not_lasting
from muster.cli.output import emit
from muster.cli.slmgr.fields import (
    Fields,
    expiry_text,
    long_fields,
    named,
    printed,
    short_fields,
)
from muster.cli.slmgr.words import Call, Word, act_type, refused
from muster.core.records import widened

if TYPE_CHECKING:
    from muster.client.results import ProductStatus


def _ipk(call: Call) -> None:
    from muster.client.act import keys

    change = keys.install_key(call.machine.parts(), call.key("a product key"), call.product)
    emit(change, [f"Installed product key {change.key} successfully."])


def _upk(call: Call) -> None:
    from muster.client.act import keys

    change = keys.uninstall_key(call.machine.parts(), call.chosen())
    text = "Uninstalled product key successfully." if change.changed else "Product key not found."
    emit(change, [text])


def _ato(call: Call) -> None:
    from muster.client import look
    from muster.client.act import leases

    parts = call.machine.parts()
    warn_not_lasting(look.not_lasting(parts, call.chosen()).products)
    report_activations(leases.activate(parts, call.chosen()))


def _dti(call: Call) -> None:
    from muster.client.act import offline

    readout = offline.installation_id(call.machine.parts(), call.chosen())
    emit(readout, [f"Installation ID: {readout.installation_id}", "", *readout_lines(readout)])


def _atp(call: Call) -> None:
    from muster.client.act import offline

    digits = call.value("a confirmation ID")
    product = call.values[1] if len(call.values) > 1 else call.product
    report_activations(offline.confirm(call.machine.parts(), digits, product))


def _dli(call: Call) -> None:
    _show(call, short_fields)


def _dlv(call: Call) -> None:
    _show(call, long_fields)


def _show(call: Call, fields: Callable[[ProductStatus, int], Fields]) -> None:
    from muster.cli.slmgr.records import ShownProduct, ShownProducts
    from muster.client import look

    listing = look.status_list(call.machine.parts(), call.chosen())
    listed = [(status, fields(status, listing.time)) for status in listing.products]
    shown = tuple(widened(ShownProduct, status, fields=named(fields)) for status, fields in listed)
    lines = [line for _, fields in listed for line in (*printed(fields), "")]
    emit(ShownProducts(shown), lines[:-1])


def _xpr(call: Call) -> None:
    from muster.cli.slmgr.records import Expiries, Expiry
    from muster.client import look

    statuses = look.status_list(call.machine.parts(), call.chosen()).products
    shown = tuple(widened(Expiry, status, text=expiry_text(status)) for status in statuses)
    lines = [line for expiry in shown for line in (f"{expiry.name}:", f"    {expiry.text}")]
    emit(Expiries(shown), lines)


def _cpky(call: Call) -> None:
    from muster.cli.slmgr.records import NothingCleared
    from muster.client import look

    statuses = look.status_list(call.machine.parts(), call.chosen()).products
    emit(
        NothingCleared(changed=False, products=tuple(status.product for status in statuses)),
        [
            "There is nothing to clear: the store never holds a product key, and what it keeps"
            " to verify and to show (the last group) does not give the key back."
        ],
    )


def _skms(call: Call) -> None:
    from muster.client.act import settings

    text = call.value("a host name with or without a port")
    if text.startswith(":"):
        raise refused(
            "/skms :PORT",
            "A port without a host cannot be set; SRV records carry the port of each host.",
            "Give the host too: 'muster slmgr /skms HOST:PORT'.",
        )
    setting = settings.set_host(call.machine.parts(), text)
    emit(setting, [f"Key Management Service machine name set to {text} successfully."])


def _ckms(call: Call) -> None:
    from muster.client.act import settings

    setting = settings.set_host(call.machine.parts(), None)
    emit(setting, ["Key Management Service machine name cleared successfully."])


def _skms_domain(call: Call) -> None:
    from muster.client.act import settings

    domain = call.value("a domain name")
    setting = settings.set_domains(call.machine.parts(), (domain,))
    emit(setting, [f"Key Management Service lookup domain set to {domain} successfully."])


def _ckms_domain(call: Call) -> None:
    from muster.client.act import settings

    setting = settings.set_domains(call.machine.parts(), None)
    emit(setting, ["Key Management Service lookup domain cleared successfully."])


def _skhc(call: Call) -> None:
    from muster.client.act import settings

    setting = settings.set_caching(call.machine.parts(), True)
    emit(setting, ["KMS host caching is enabled."])


def _ckhc(call: Call) -> None:
    from muster.client.act import settings

    setting = settings.set_caching(call.machine.parts(), False)
    emit(setting, ["KMS host caching is disabled."])


CLIENT: Mapping[str, Word] = {
    "/ipk": ("KEY", "Install a product key.", _ipk),
    "/ato": ("[ID]", "Activate now.", _ato),
    "/dli": ("[ID|All]", "Show licence information.", _dli),
    "/dlv": ("[ID|All]", "Show detailed licence information.", _dlv),
    "/xpr": ("[ID]", "Show until when the product is licensed.", _xpr),
    "/upk": ("[ID]", "Uninstall the product key.", _upk),
    "/cpky": ("", "Clear the product key (the store never contains one).", _cpky),
    "/skms": ("HOST[:PORT]", "Ask this host only; no DNS.", _skms),
    "/ckms": ("", "Find hosts by DNS again.", _ckms),
    "/skms-domain": ("DOMAIN", "Look for hosts in this domain only.", _skms_domain),
    "/ckms-domain": ("", "Look in the machine's own domains again.", _ckms_domain),
    "/skhc": ("", "Ask the host that answered last first.", _skhc),
    "/ckhc": ("", "Ask DNS each time.", _ckhc),
    "/dti": ("[ID]", "Show the installation ID for the telephone.", _dti),
    "/act-type": (
        "[TYPE]",
        "Show that KMS is the type of volume activation.",
        act_type,
    ),
    "/atp": ("CONFIRMATION-ID [ID]", "Activate with the confirmation ID that was read back.", _atp),
}
"""Words that this machine understands: what follows them, what they do, who does it."""
