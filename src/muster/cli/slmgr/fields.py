"""What slmgr prints of a product on a client: field names that administrators look for.

Decides names and order; every value is of `muster.client.results.ProductStatus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from muster import __version__
from muster.cli.client.words import when
from muster.core.states import GRACES, LicenceState

if TYPE_CHECKING:
    from muster.client.results import ProductStatus

Fields = list[tuple[str, str]]
"""Field names and values in the order in which they are printed; an empty name is a heading."""

MINUTE = 60
VERSION = ("Software licensing service version", __version__)
_DAY_MINUTES = 1440
_EXPIRATION = "Volume activation expiration"
_CHANNELS = {
    "mak": ("VOLUME_MAK", "Volume:MAK (multiple activation key)"),
    "evaluation": ("EVALUATION", "Evaluation (evaluation key)"),
    "retail": ("RETAIL", "Retail (key for one machine)"),
}


def printed(fields: Fields) -> list[str]:
    """Fields as lines."""
    return [f"{name}: {value}" if name else value for name, value in fields]


def named(fields: Fields) -> Mapping[str, str]:
    """Fields for programs, by name."""
    return {name: value for name, value in fields if name}


def short_fields(one: ProductStatus, now: int) -> Fields:
    """What `/dli` prints.

    Args:
        now: when the product was looked at.
    """
    edition = f", {one.edition} edition" if one.edition else ""
    fields: Fields = [
        ("Name", f"{one.name}{edition}"),
        ("Description", f"{one.application}, {_channels(one)[0]} channel"),
    ]
    if not one.key_id:
        return [*fields, ("", "This license is not in use.")]
    fields.append(("Partial Product Key", one.key[-5:]))
    fields.append(("License Status", one.state_text))
    if one.licensed:
        if one.until is None:
            fields.append(("", "The machine is permanently activated."))
        else:
            evaluated = one.state is LicenceState.EXTENDED_GRACE
            name = "Timebased activation expiration" if evaluated else _EXPIRATION
            fields.append((name, span(one.until - now)))
    elif one.until is not None:
        fields.append(("Time remaining", span(one.until - now)))
    if one.why is not None:
        reason = one.why.row.field_code or one.why.code
        fields.append(("Notification Reason", f"{reason} ({one.why.code}): {one.why.what}"))
    return fields


def _channels(one: ProductStatus) -> tuple[str, str]:
    """The channel of a product as its description and its key name it: the key decides."""
    volume = {"volume": "VOLUME_KMSCLIENT"}.get(one.channel, one.channel.upper())
    return _CHANNELS.get(one.key_kind, (volume, "Volume:GVLK (setup key)"))


def span(seconds: int) -> str:
    """Minutes, and days rounded up, as administrators read them."""
    minutes = max(0, seconds) // MINUTE
    days = -(-minutes // _DAY_MINUTES)
    return f"{minutes} minute(s) ({days} day(s))"


def long_fields(one: ProductStatus, now: int) -> Fields:
    """What `/dlv` prints."""
    short = short_fields(one, now)
    ids: Fields = [
        ("Activation ID", f"{one.publisher}/{one.product}"),
        ("Application ID", one.application),
        ("Extended PID", one.key_id or "none"),
        ("Product Key Channel", _channels(one)[1]),
    ]
    fields = [VERSION, *short[:2], *ids, *short[2:], ("Trusted time", when(one.trusted_time))]
    return fields + _client_block(one) if one.key_kind == "setup" else fields


def _client_block(one: ProductStatus) -> Fields:
    """What KMS clients print of their host."""
    fields: Fields = [("", ""), ("", "Key Management Service client information")]
    if one.cmid is not None:
        fields.append(("    Client Machine ID (CMID)", one.cmid))
        fields.append(("    Identity mode", str(one.identity)))
    domains = ", ".join(one.suffixes)
    if one.set_host is not None:
        fields.append(("    Registered KMS machine name", one.set_host))
    else:
        about = f"not asked yet (domains: {domains})" if domains else "not available"
        fields.append(("    KMS machine name from DNS", one.last_host or about))
        if domains:
            fields.append(("    KMS lookup domain", domains))
    fields.append(("    KMS machine IP address", one.last_ip or "not available"))
    pid = "not available" if one.licence is None else one.licence.host_key
    fields.append(("    KMS machine extended PID", pid))
    fields.append(("    Activation interval", f"{one.retry_after // MINUTE} minutes"))
    fields.append(("    Renewal interval", f"{one.renew_after // MINUTE} minutes"))
    caching = "enabled" if one.host_caching else "disabled"
    fields.append(("", f"    KMS host caching is {caching}"))
    if one.licence is None:
        hint = "    Run 'muster slmgr /ato' to activate and to update these values."
        fields.append(("", hint))
    return fields


def expiry_text(one: ProductStatus) -> str:
    """What `/xpr` prints."""
    if one.licensed and one.until is None:
        return "The machine is permanently activated."
    if one.licensed:
        return f"Volume activation will expire {when(one.until)}"
    if one.state in GRACES:
        return f"{one.state_text} ends {when(one.until)}"
    if one.state is LicenceState.NOTIFICATION:
        return "The machine is in Notification mode"
    return "The machine is unlicensed"
