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
    "setup": ("VOLUME_KMSCLIENT", "Volume:GVLK (setup key)"),
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


def short_fields(status: ProductStatus, now: int) -> Fields:
    """What `/dli` prints.

    Args:
        now: when the product was looked at.
    """
    edition = f", {status.edition} edition" if status.edition else ""
    fields: Fields = [
        ("Name", f"{status.name}{edition}"),
        ("Description", f"{status.application}, {_channels(status)[0]} channel"),
    ]
    if not status.key_id:
        return [*fields, ("", "This license is not in use.")]
    fields.append(("Partial Product Key", status.key[-5:]))
    fields.append(("License Status", status.state_text))
    if status.licensed:
        if status.until is None:
            fields.append(("", "The machine is permanently activated."))
        else:
            name = "Timebased activation expiration" if _is_timebased(status) else _EXPIRATION
            fields.append((name, span(status.until - now)))
    elif status.until is not None:
        fields.append(("Time remaining", span(status.until - now)))
    if status.why is not None:
        reason = status.why.row.field_code or status.why.code
        fields.append(("Notification Reason", f"{reason} ({status.why.code}): {status.why.what}"))
    return fields


def _channels(status: ProductStatus) -> tuple[str, str]:
    """The channel of a product as its description and its key name it: the key decides."""
    built = {"volume": "VOLUME_KMSCLIENT"}.get(status.channel, status.channel.upper())
    return _CHANNELS.get(status.key_kind, (built, "none: no product key is installed"))


def _is_timebased(status: ProductStatus) -> bool:
    """Whether what licenses the product is an evaluation, which ends and is not renewed."""
    if status.licence is None:
        return status.state is LicenceState.EXTENDED_GRACE
    return status.licence.kind == "evaluation"


def span(seconds: int) -> str:
    """Minutes, and days rounded up, as administrators read them."""
    minutes = max(0, seconds) // MINUTE
    days = -(-minutes // _DAY_MINUTES)
    return f"{minutes} minute(s) ({days} day(s))"


def long_fields(status: ProductStatus, now: int) -> Fields:
    """What `/dlv` prints."""
    short = short_fields(status, now)
    ids: Fields = [
        ("Activation ID", f"{status.publisher}/{status.product}"),
        ("Application ID", status.application),
        ("Extended PID", status.key_id or "none"),
        ("Product Key Channel", _channels(status)[1]),
    ]
    if status.licence is not None and _is_timebased(status):
        ids.append(("Evaluation End Date", when(status.until)))
    fields = [VERSION, *short[:2], *ids, *short[2:], ("Trusted time", when(status.trusted_time))]
    return fields + _client_block(status) if status.key_kind == "setup" else fields


def _client_block(status: ProductStatus) -> Fields:
    """What KMS clients print of their host."""
    fields: Fields = [("", ""), ("", "Key Management Service client information")]
    if status.cmid is not None:
        fields.append(("    Client Machine ID (CMID)", status.cmid))
        fields.append(("    Identity mode", str(status.identity)))
    domains = ", ".join(status.suffixes)
    if status.set_host is not None:
        fields.append(("    Registered KMS machine name", status.set_host))
    else:
        about = f"not asked yet (domains: {domains})" if domains else "not available"
        if status.sites:
            files = ", ".join(site.file for site in status.sites)
            about = f"not asked yet (site files: {files})"
        source = status.last_host_file or "DNS"
        fields.append((f"    KMS machine name from {source}", status.last_host or about))
        if domains:
            fields.append(("    KMS lookup domain", domains))
    fields.append(("    KMS machine IP address", status.last_ip or "not available"))
    pid = "not available" if status.licence is None else status.licence.host_key
    fields.append(("    KMS machine extended PID", pid))
    fields.append(("    Activation interval", f"{status.retry_after // MINUTE} minutes"))
    fields.append(("    Renewal interval", f"{status.renew_after // MINUTE} minutes"))
    caching = "enabled" if status.host_caching else "disabled"
    fields.append(("", f"    KMS host caching is {caching}"))
    if status.licence is None:
        hint = "    Run 'muster slmgr /ato' to activate and to update these values."
        fields.append(("", hint))
    return fields


def expiry_text(status: ProductStatus) -> str:
    """What `/xpr` prints."""
    if status.licensed and status.until is None:
        return "The machine is permanently activated."
    if status.licensed:
        what = "Timebased activation" if _is_timebased(status) else "Volume activation"
        return f"{what} will expire {when(status.until)}"
    if status.state in GRACES:
        return f"{status.state_text} ends {when(status.until)}"
    if status.state is LicenceState.NOTIFICATION:
        return "The machine is in Notification mode"
    return "The machine is unlicensed"
