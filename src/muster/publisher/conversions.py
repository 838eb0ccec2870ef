"""Conversions that a publisher withdraws: what becomes of licences by them.

Decides that a conversion that was allowed leaves a trace in every catalogue after it. Refuses to
know which conversions a publisher may write (`muster.publisher.rules`). Pure. Obeys
docs/spec/03-trust-and-catalogue.md, section 3.5.
"""

from __future__ import annotations

from muster.core.products import DAY, Conversion
from muster.core.values import replace
from muster.publisher.model import Content

LATE = 30 * DAY
"""How long a conversion that is withdrawn holds for licences that are issued since [hosts and
machines learn of it by and by, and a machine that renews meanwhile is not worse off]."""


def with_withdrawn(old: Content, new: Content, now: int) -> Content:
    """The content with what it withdraws: conversions that were allowed and are not any more hold
    for the licences that were issued by them, to their own end."""
    ends = {
        (item.source, item.target): now + LATE if item.until is None else item.until
        for item in old.conversions
        if item.rule == "allowed" or item.until is not None
    }
    written = []
    for item in new.conversions:
        until = ends.pop((item.source, item.target), None)
        written.append(item if item.rule == "allowed" else replace(item, until=until))
    left = [Conversion(*pair, "refused", "", until) for pair, until in ends.items()]
    return replace(new, conversions=(*written, *left))
