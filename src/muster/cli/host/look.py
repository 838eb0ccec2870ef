"""`muster host status`: publishers, keys, counts, requests, DNS and TLS of a host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import BY_PRODUCT, INTERVALS, NEVER, moment
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.running import problem_lines, row, service_lines

if TYPE_CHECKING:
    from muster.host.results import HostStatus, KeyStatus, PublisherStatus, TermsStatus, TLSStatus
    from muster.host.running import HostProcess


@click.command(cls=MusterCommand)
@store_option
def status(store: Path | None) -> None:
    """Show publishers, keys, grants, counts and settings."""
    from muster.host import look

    with compose.look_at_host(store) as opened:
        listing = look.status(opened)
    emit(listing, _status_lines(listing))


def _status_lines(status: HostStatus) -> list[str]:
    lines = [row("Host store", status.store)]
    for known in status.publishers:
        old = " (older than 400 days: fetch a newer one)" if known.catalogue_old else ""
        lines += [
            "",
            row("Publisher", f"{known.name} ({known.label}, {known.publisher})"),
            row("State", _state(status, known), 1),
            row("Trust version", known.trust, 1),
            row("Catalogue version", f"{known.catalogue}{old}", 1),
        ]
        for key in known.keys:
            lines += _key_lines(key, usable=not known.faults)
        if not known.keys:
            lines.append(row("Host key", "none installed", 1))
        for fault in known.faults:
            lines.append(row("NOT USED", f"{fault.code}: {fault.what}", 1))
            lines.append(row("Fix", fault.fix, 2))
        if known.clones:
            of = "one machine" if known.clones == 1 else f"{known.clones} machines"
            text = f"found of {of} in 30 days; see 'muster host clients'"
            lines.append(row("CLONES", text, 1))
    for app in status.applications:
        lines += [
            "",
            row("Application", f"{app.application} ({app.label})"),
            row("Current count", app.count, 1),
            row("Distinct addresses", app.addresses, 1),
        ]
        for product in app.products:
            reached = "reached" if product.met else "not reached"
            lines.append(row("Needed", f"{product.need} for {product.product}, {reached}", 1))
    return [*lines, "", *_service_lines(status)]


def _state(status: HostStatus, known: PublisherStatus) -> str:
    if known.serving:
        return "serving"
    if status.process is None and known.able:
        return "NOT RUNNING; it could serve"
    return "NOT SERVING"


def _key_lines(key: KeyStatus, *, usable: bool) -> list[str]:
    lines = [
        row("Host key", f"XXXXX-XXXXX-XXXXX-XXXXX-{key.partial} ({key.key})", 1),
        row("Hardware id", f"{key.hardware}, from {key.hardware_fact}", 2),
    ]
    grant = key.grant
    if grant is None:
        text = "none; run 'muster host activate'" if usable else "none that can be used; see below"
        if key.asked_at is not None:
            text = f"none; asked for since {moment(key.asked_at)}, with the news: {key.refusal}"
        return [*lines, row("Grant", text, 2)]
    end = NEVER if grant.expires_at is None else f"ends {moment(grant.expires_at)}"
    lines.append(row("Grant", f"licenses {', '.join(grant.covers)}; {end}", 2))
    if grant.code:
        lines.append(row("NOT USED", grant.code, 2))
    return lines if key.terms is None else [*lines, *_terms_lines(key.terms)]


def _terms_lines(terms: TermsStatus) -> list[str]:
    from muster.core.text import exact_span_text

    over = "refused" if terms.over == "refuse" else "reported"
    lines = [row("Terms", f"{terms.seats} of {terms.limit} seats taken; more are {over}", 2)]
    if terms.max_lease is not None:
        lines.append(row("Leases under it", f"{exact_span_text(terms.max_lease)} at most", 2))
    if terms.silent:
        back = f"the first is free again {moment(terms.silent_until)}"
        lines.append(row("Seats of silent machines", f"{terms.silent}; {back}", 2))
    return lines


def _service_lines(status: HostStatus) -> list[str]:
    from muster.core.states import STATES, LicenceState

    lines = process_lines(status.process)
    for zone in status.dns:
        word = zone.detail if not zone.code else f"{zone.code}: {zone.detail}"
        lines.append(f"  {zone.zone}, {moment(zone.at)}: {word}")
    for news in status.news:
        last = "none yet" if news.good_at is None else f"last {moment(news.good_at)}"
        after = "not asked now" if news.next_at is None else f"next {moment(news.next_at)}"
        failed = f"; {news.code}" if news.code else ""
        lines.append(row("News", f"{last}; {after}{failed}"))
    lines += _tls_lines(status.tls)
    for name, text in zip(INTERVALS, ("Activation interval", "Renewal interval"), strict=True):
        interval = status.settings[name]
        lines.append(row(text, f"{interval.value} s" if interval.set else BY_PRODUCT))
    lines += [
        row("Total requests", status.requests.total),
        row("Failed requests", status.requests.failed),
    ]
    by_state = status.requests.by_state
    lines += [row(STATES[state].text, by_state[str(int(state))], 1) for state in LicenceState]
    return lines


def process_lines(process: HostProcess | None) -> list[str]:
    """What the process that serves says of itself, and no more than it says."""
    lines = service_lines(process)
    if process is None:
        lines.append(row("DNS publishing", "not running"))
    elif process.dns is not None:
        dns = process.dns
        lines.append(row("DNS publishing", "enabled" if dns.enabled else f"off ({dns.detail})"))
    return [*lines, *problem_lines(process)]


def _tls_lines(tls: TLSStatus | None) -> list[str]:
    if tls is None:
        return []
    if tls.ends_at is None:
        return [row("TLS", "NOT USABLE"), row("Certificate", tls.problem, 1)]
    lines = [row("TLS", f"for {', '.join(tls.names)}, until {moment(tls.ends_at)}")]
    return lines if tls.problem is None else [*lines, row("Problem", tls.problem, 1)]
