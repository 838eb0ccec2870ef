"""By which rules the doctor judges the hosts that were looked at; client and host share them.

Decides what of an advertised host is healthy. Pure over what was found and a given time. Refuses to
know stores, DNS and settings: each side adds its own checks. Obeys docs/doctor.md.

A grant that is shown is public. That a host shows one proves that the publisher granted it to the
key that the host names; that the host holds that key, a lease proves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.products import DAY, SKEW
from muster.core.text import span_text
from muster.health.probe import ProbeResult, trust_version
from muster.health.report import Check, Mark, Topic, failed
from muster.lease.catalogue import Catalogue, read_catalogue
from muster.lease.grant import HOST, Grant, read_grant
from muster.lease.trust import Trust, walk_store
from muster.wire.status import HostGrant

THIS_HOST = "this host"
"""How the host is found that a doctor runs on."""
NOTED_SKEW = 300
"""Seconds between two clocks from which on the difference is told."""

# What holds now.


def newest_trust(trust: Trust, looked: Iterable[ProbeResult]) -> Trust:
    """The trust that the caller's own leads to, over all that hosts showed."""
    texts = {text for seen in looked for text in seen.trust}
    return walk_store(trust, sorted(texts, key=trust_version))


def newest_catalogue(
    held: Catalogue | None, trust: Trust, texts: Iterable[str]
) -> Catalogue | None:
    """The newest catalogue that verifies under a trust: the one held, or one that was shown."""
    best = held
    for text in texts:
        try:
            catalogue = read_catalogue(text, trust) if text else None
        except MusterError:
            continue
        if catalogue is not None and (best is None or catalogue.version > best.version):
            best = catalogue
    return best


# Judging hosts.


def check_hosts(
    looked: Sequence[ProbeResult],
    publisher: str,
    label: str,
    trust: Trust,
    catalogue: Catalogue | None,
    groups: Collection[str],
    clocks: Sequence[ProbeResult] | None = None,
) -> list[Check]:
    """Judge all hosts that were looked at.

    Args:
        looked: what they said.
        publisher, label: whose hosts they should be.
        trust: the newest that verifies.
        catalogue: the newest that verifies; revocations are in it.
        groups: key groups that somebody must serve; none asks for none.
        clocks: whose clocks are compared; those of the hosts by default.
    Returns:
        Checks of reachability, clock, grant and catalogue.
    """
    if not looked:
        topics = (Topic.REACHABILITY, Topic.GRANT, Topic.CATALOGUE)
        skipped = [Check(topic, Mark.SKIPPED, "There is no host to ask.") for topic in topics]
        return [*skipped, *check_clocks(clocks or (), trust, catalogue)]
    checks: list[Check] = []
    for seen in looked:
        if seen.fault is not None:
            checks.append(failed(Topic.REACHABILITY, seen.fault, host=seen.host.address))
        else:
            text = f"{seen.host.address} answers ({seen.host.found})."
            checks.append(Check(Topic.REACHABILITY, Mark.OK, text, host=seen.host.address))
    checks += check_clocks(looked if clocks is None else clocks, trust, catalogue)
    covered: set[str] = set()
    unproved = False
    for seen in looked:
        if seen.fault is None:
            check, covers = check_grant(seen, publisher, label, trust, catalogue)
            checks.append(check)
            covered |= covers
            unproved = unproved or check.mark is Mark.FAIL
            if check.mark is Mark.OK:
                checks += check_documents(seen, trust, catalogue)
    missing = sorted(set(groups) - covered)
    if missing and not unproved and any(seen.fault is None for seen in looked):
        what = f"No host that answers has a grant for the key group {', '.join(missing)}."
        fix = (
            "Install a host key that covers it on a host ('muster host install-key', then"
            " 'muster host activate'), or use a one-time key on this machine."
        )
        checks.append(Check(Topic.GRANT, Mark.FAIL, what, fix))
    return checks


def check_clocks(
    looked: Sequence[ProbeResult], trust: Trust, catalogue: Catalogue | None
) -> list[Check]:
    """Compare this machine's clock with those of the hosts, and with the newest signed date.

    Two clocks that differ do not tell which is wrong; a signed date in the future, or several
    hosts that agree against this machine, do.
    """
    signed = max(trust.iat, 0 if catalogue is None else catalogue.iat)
    heard = [one for one in looked if one.date is not None]
    if heard and heard[0].asked_at < signed - SKEW:
        behind = span_text(signed - heard[0].asked_at)
        what = f"This machine's clock is at least {behind} behind: the publisher signed later."
        return [Check(Topic.CLOCK, Mark.FAIL, what, _SET_CLOCK)]
    if not heard:
        return [Check(Topic.CLOCK, Mark.SKIPPED, "No host told its time.")]
    ahead = [(one, (one.date or 0) - one.asked_at) for one in heard]
    far = [difference for _, difference in ahead if abs(difference) > SKEW]
    alone = len(ahead) > 1 and len(far) == len(ahead) and max(far) - min(far) <= SKEW
    if alone:
        what = f"This machine's clock {_off(-far[0])}, against {len(far)} hosts that agree."
        return [Check(Topic.CLOCK, Mark.FAIL, what, _SET_CLOCK, code="host/clock-skew")]
    checks = []
    for probed, difference in ahead:
        address = probed.host.address
        if abs(difference) <= NOTED_SKEW:
            what = f"The clock of {address} and this machine's agree."
            checks.append(Check(Topic.CLOCK, Mark.OK, what, host=address))
            continue
        what = f"The clock of {address} {_off(difference)}, by this machine's."
        if abs(difference) > SKEW:
            mark, what = Mark.FAIL, f"{what} Beyond {SKEW // 3600} hours it refuses machines."
        else:
            mark = Mark.WARN
        fix = f"Set both clocks, this machine's and that of {address}, from one time server (NTP)."
        code = "host/clock-skew" if mark is Mark.FAIL else ""
        checks.append(Check(Topic.CLOCK, mark, what, fix, address, code))
    return checks


_SET_CLOCK = (
    "Set this machine's clock from a time server (NTP), or check its time zone and battery."
)


def _off(difference: int) -> str:
    return f"is {span_text(abs(difference))} {'ahead' if difference > 0 else 'behind'}"


def check_grant(
    seen: ProbeResult, publisher: str, label: str, trust: Trust, catalogue: Catalogue | None
) -> tuple[Check, frozenset[str]]:
    """Whether a host that answers proves a grant of the publisher, and for which key groups."""
    address = seen.host.address
    faults: list[MusterError] = []
    covers: set[str] = set()
    for shown in seen.grants:
        try:
            grant = prove(shown, publisher, label, trust, catalogue, seen.asked_at)
        except MusterError as fault:
            faults.append(fault)
        else:
            covers.update(grant.covers)
    if covers and seen.served is not None:
        what = f"{address} has a grant for {', '.join(sorted(covers))}."
        return Check(Topic.GRANT, Mark.OK, what, host=address), frozenset(covers)
    if not seen.grants and seen.served is None and seen.others and not seen.host.ours:
        what = f"{address} serves other publishers: {', '.join(seen.others)}."
        return Check(Topic.GRANT, Mark.OK, what, host=address), frozenset()
    if faults:
        why, code = faults[0].what, faults[0].code
    elif covers:
        why, code = f"It has a grant but does not serve {label}: it has no catalogue.", ""
    elif seen.served is not None:
        why, code = f"It says that it serves {label} but shows no grant.", ""
    else:
        why, code = f"It does not serve {label}.", "host/not-served"
    if seen.host.found == THIS_HOST:
        # Published or not: what is wrong with it is known here.
        what = f"{address}, this host, cannot prove a grant. {why}"
        fix = "Run 'muster host status' and do what it says of keys and grants."
        return Check(Topic.GRANT, Mark.FAIL, what, fix, address, code), frozenset()
    what = f"{address} is advertised but cannot prove a grant. {why}"
    fix = (
        "If it should serve, activate it there with a host key ('muster host install-key', 'muster"
        " host activate'); if not, remove its records from DNS ('muster host publish-dns"
        " --withdraw')."
    )
    return Check(Topic.GRANT, Mark.FAIL, what, fix, address, code), frozenset()


def prove(
    shown: HostGrant,
    publisher: str,
    label: str,
    trust: Trust,
    catalogue: Catalogue | None,
    now: int,
) -> Grant:
    """Verify a grant that a host shows: signed, of a host, bound to the key it names, and live.

    Raises: `licence/…`, `host/grant-revoked`, `host/grant-expired`, `host/grant-not-yet`.
    """
    grant = read_grant(shown.grant, trust, publisher)
    if grant.kind != HOST:
        raise error("licence/grant", detail=f"it is a grant of the kind {grant.kind}")
    if host_binding(publisher, grant.key_id, shown.signer.raw) != grant.binding:
        raise error("licence/grant", detail="it is bound to another host's signing key")
    if catalogue is not None and catalogue.revoked(grant.jti, grant.key) is not None:
        raise error("host/grant-revoked", label=label)
    if grant.exp is not None and grant.exp <= now:
        raise error("host/grant-expired", label=label)
    if now < grant.iat - DAY:
        raise error("host/grant-not-yet", label=label)
    return grant


def check_documents(seen: ProbeResult, trust: Trust, catalogue: Catalogue | None) -> list[Check]:
    """Whether a host that serves the publisher holds the newest trust and catalogue."""
    if seen.served is None:
        return []
    address = seen.host.address
    newest = 0 if catalogue is None else catalogue.version
    old = [
        f"{name} version {held}, and there is {there}"
        for name, held, there in (
            ("trust", seen.served.trust, trust.version),
            ("catalogue", seen.served.catalogue, newest),
        )
        if held < there
    ]
    if old:
        what = f"{address} holds {'; '.join(old)}."
        fix = f"On {address} run 'muster host catalogue fetch', or import the publisher's file."
        return [Check(Topic.CATALOGUE, Mark.WARN, what, fix, address)]
    if seen.served.catalogue > newest:
        what = f"{address} names catalogue version {seen.served.catalogue}, which does not verify."
        return [Check(Topic.CATALOGUE, Mark.WARN, what, _DOUBTFUL, address)]
    what = f"{address} has the newest known catalogue, version {newest}."
    return [Check(Topic.CATALOGUE, Mark.OK, what, host=address)]


_DOUBTFUL = "Ask the publisher which version is the newest; somebody may have replaced it."
