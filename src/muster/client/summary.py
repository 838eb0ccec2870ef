"""Findings as the records that people and scripts read. Pure.

Decides what of a finding is told; what is licensed was decided in `muster.client.judge`.
"""

from __future__ import annotations

from collections.abc import Iterable

from muster.client import sites
from muster.client.findings import Activation, Discovery, Probe, Status
from muster.client.messages import Plan, Tried
from muster.client.model import ProductRecord
from muster.client.results import (
    Activations,
    AskedNames,
    DiscoveredHosts,
    FailedActivations,
    FoundHost,
    HeldLicence,
    ProductActivation,
    ProductStatus,
    ProductSummary,
    Served,
    SiteOfHosts,
    TriedHost,
)
from muster.core.keys import KeyId
from muster.core.records import widened
from muster.core.text import shown_url
from muster.lease.verify import VerifiedLicence


def product(status: Status) -> ProductSummary:
    """The name, the key and the state of a product."""
    verdict, descriptor = status.verdict, status.descriptor
    return ProductSummary(
        product=descriptor.product.id,
        publisher=descriptor.publisher,
        label=descriptor.trust.label,
        name=descriptor.product.name,
        edition=descriptor.product.edition,
        key="" if verdict.record is None else verdict.record.masked,
        state=verdict.state,
        state_text=verdict.state.text,
        licensed=verdict.licensed,
    )


def status(status: Status, now: int) -> ProductStatus:
    """Everything that is known of a product.

    Args:
        now: the local clock.
    """
    verdict, record, licence = status.verdict, status.verdict.record, status.verdict.licence
    held, plan, spans = verdict.authority, status.plan, status.descriptor.product.spans
    retry, renew = spans.retry_after, spans.renew_after
    if licence is not None and licence.retry_after is not None and licence.renew_at is not None:
        retry, renew = licence.retry_after, licence.renew_at - licence.issued
    key_id = "" if record is None else record.key
    return widened(
        ProductStatus,
        product(status),
        publisher_name=status.descriptor.trust.name,
        application=status.descriptor.product.application,
        channel=status.descriptor.product.channel,
        since=verdict.since,
        until=verdict.until,
        why=verdict.fault,
        warnings=verdict.warnings,
        cmid=None if status.identity is None else status.identity.cmid,
        identity=None if status.identity is None else status.identity.mode,
        key_id=key_id,
        key_kind=KeyId.parse(key_id).kind.text if key_id else "",
        need=verdict.product.need,
        licence=None if licence is None else _licence(licence),
        last_host=record.last_good.text if record and record.last_good else None,
        last_ip=record.last_ip or None if record else None,
        last_count=record.count if record else None,
        last_contact=record.last_contact or None if record else None,
        last_attempt=record.last_attempt or None if record else None,
        last_refusal=record.failure.error() if record and record.failure else None,
        next_attempt=record.next_attempt or None if record else None,
        retry_after=retry,
        renew_after=renew,
        trust=held.trust.version,
        catalogue=None if held.catalogue is None else held.catalogue.version,
        set_host=None if plan.host is None else plan.host.text,
        suffixes=plan.suffixes,
        host_caching=plan.caching,
        publisher_url=shown_url(plan.publisher_url or status.descriptor.url) or None,
        trusted_time=max(now, held.clock_mark),
        store=str(status.folder),
        sites=tuple(
            SiteOfHosts(site.path, tuple(address.text for _, address in site.hosts), site.until)
            for site in plan.sites
        ),
        site_errors=plan.faults,
        last_host_file=_file_of(plan, record),
    )


def _file_of(plan: Plan, record: ProductRecord | None) -> str | None:
    """The site file that names the last good host."""
    if record is None or record.last_good is None:
        return None
    named = sites.named(plan.sites).get(record.last_good)
    return None if named is None else named[1]


def _licence(licence: VerifiedLicence) -> HeldLicence:
    return HeldLicence(
        kind=licence.kind,
        issued_at=licence.issued,
        expires_at=licence.expires,
        renew_at=licence.renew_at,
        retry_after=licence.retry_after,
        count=licence.count,
        need=licence.need,
        grant=licence.grant_jti,
        host_key=licence.key,
    )


def activations(results: Iterable[Activation], now: int) -> Activations:
    """What tries brought; `FailedActivations` where one failed."""
    products = tuple(_activation(result, now) for result in results)
    changed = any(product_activation.renewed for product_activation in products)
    failed = [
        product_activation.error
        for product_activation in products
        if product_activation.error is not None
    ]
    if failed:
        return FailedActivations(products, changed, failed[0])
    return Activations(products, changed)


def _activation(activation: Activation, now: int) -> ProductActivation:
    return widened(
        ProductActivation,
        status(activation.status, now),
        renewed=activation.renewed,
        due=activation.due,
        error=activation.fault,
        tried=tuple(map(_tried, activation.tried)),
        told=activation.warnings,
    )


def _tried(tried: Tried) -> TriedHost:
    return TriedHost(
        host=tried.candidate.address.text,
        source=tried.candidate.source.value,
        domain=tried.candidate.domain,
        error=tried.fault,
        file=tried.candidate.file,
    )


def discovery(shown: Discovery) -> DiscoveredHosts:
    """How hosts are found for a publisher."""
    return DiscoveredHosts(
        publisher=shown.publisher,
        label=shown.label,
        set_host=None if shown.plan.host is None else shown.plan.host.text,
        last_host=None if shown.last_good is None else shown.last_good.text,
        host_caching=shown.plan.caching,
        names=tuple(
            AskedNames(
                domain=asked.domain,
                label=asked.label,
                general=asked.general,
                label_records=len(answer.label),
                general_records=len(answer.general),
            )
            for asked, answer in zip(shown.asked, shown.found, strict=True)
        ),
        errors=shown.faults,
        hosts=tuple(map(_host, shown.probes)),
    )


def _host(probe: Probe) -> FoundHost:
    served = probe.served
    return FoundHost(
        host=probe.candidate.address.text,
        source=probe.candidate.source.value,
        domain=probe.candidate.domain,
        file=probe.candidate.file,
        priority=probe.candidate.priority,
        weight=probe.candidate.weight,
        in_doubt=probe.doubted,
        error=probe.fault,
        serves=None
        if served is None
        else Served(groups=served.groups, trust=served.trust, catalogue=served.catalogue),
    )
