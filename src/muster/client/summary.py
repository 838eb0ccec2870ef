"""Findings as the records that people and scripts read. Pure.

Decides what of a finding is told; what is licensed was decided in `muster.client.judge`.
"""

from __future__ import annotations

from collections.abc import Iterable

from muster.client.findings import Activation, Discovery, Probe, Status
from muster.client.messages import Tried
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
    TriedHost,
)
from muster.core.keys import KeyId
from muster.core.records import widened
from muster.core.text import shown_url
from muster.lease.verify import VerifiedLicence


def product(one: Status) -> ProductSummary:
    """The name, the key and the state of a product."""
    verdict, descriptor = one.verdict, one.descriptor
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


def status(one: Status, now: int) -> ProductStatus:
    """Everything that is known of a product.

    Args:
        now: the local clock.
    """
    verdict, record, licence = one.verdict, one.verdict.record, one.verdict.licence
    held, plan, spans = verdict.authority, one.plan, one.descriptor.product.spans
    retry, renew = spans.retry_after, spans.renew_after
    if licence is not None and licence.retry_after is not None and licence.renew_at is not None:
        retry, renew = licence.retry_after, licence.renew_at - licence.issued
    key_id = "" if record is None else record.key
    return widened(
        ProductStatus,
        product(one),
        publisher_name=one.descriptor.trust.name,
        application=one.descriptor.product.application,
        channel=one.descriptor.product.channel,
        since=verdict.since,
        until=verdict.until,
        why=verdict.problem,
        warnings=verdict.warnings,
        cmid=None if one.identity is None else one.identity.cmid,
        identity=None if one.identity is None else one.identity.mode,
        key_id=key_id,
        key_kind=KeyId.parse(key_id).kind.text if key_id else "",
        need=verdict.product.need,
        licence=None if licence is None else _licence(licence),
        last_host=record.last_good.text if record and record.last_good else None,
        last_ip=record.last_ip or None if record else None,
        last_count=record.count if record else None,
        last_contact=record.last_contact or None if record else None,
        last_attempt=record.last_attempt or None if record else None,
        next_attempt=record.next_attempt or None if record else None,
        retry_after=retry,
        renew_after=renew,
        trust=held.trust.version,
        catalogue=None if held.catalogue is None else held.catalogue.version,
        set_host=None if plan.host is None else plan.host.text,
        suffixes=plan.suffixes,
        host_caching=plan.caching,
        publisher_url=shown_url(plan.publisher_url or one.descriptor.url) or None,
        trusted_time=max(now, held.clock_mark),
        store=str(one.folder),
    )


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
    products = tuple(_activation(one, now) for one in results)
    changed = any(one.renewed for one in products)
    failed = [one.error for one in products if one.error is not None]
    if failed:
        return FailedActivations(products, changed, failed[0])
    return Activations(products, changed)


def _activation(one: Activation, now: int) -> ProductActivation:
    return widened(
        ProductActivation,
        status(one.status, now),
        renewed=one.renewed,
        due=one.due,
        error=one.fault,
        tried=tuple(map(_tried, one.tried)),
        told=one.told,
    )


def _tried(one: Tried) -> TriedHost:
    return TriedHost(
        host=one.candidate.address.text,
        source=one.candidate.source.value,
        domain=one.candidate.domain,
        error=one.problem,
    )


def discovery(one: Discovery) -> DiscoveredHosts:
    """How hosts are found for a publisher."""
    return DiscoveredHosts(
        publisher=one.publisher,
        label=one.label,
        set_host=None if one.plan.host is None else one.plan.host.text,
        last_host=None if one.last_good is None else one.last_good.text,
        host_caching=one.plan.caching,
        names=tuple(
            AskedNames(
                domain=asked.domain,
                label=asked.label,
                general=asked.general,
                label_records=len(found.label),
                general_records=len(found.general),
            )
            for asked, found in zip(one.asked, one.found, strict=True)
        ),
        errors=one.faults,
        hosts=tuple(map(_host, one.probes)),
    )


def _host(one: Probe) -> FoundHost:
    served = one.served
    return FoundHost(
        host=one.candidate.address.text,
        source=one.candidate.source.value,
        domain=one.candidate.domain,
        priority=one.candidate.priority,
        weight=one.candidate.weight,
        in_doubt=one.doubted,
        error=one.problem,
        serves=None
        if served is None
        else Served(groups=served.groups, trust=served.trust, catalogue=served.catalogue),
    )
