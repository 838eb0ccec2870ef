"""What a catalogue says of conversions that an engineer took out, or wrote otherwise."""

from __future__ import annotations

from muster.core.products import Conversion
from muster.publisher import rules
from muster.publisher.conversions import LATE, with_withdrawn
from muster.publisher.model import Content

NOW = 1_795_500_000
ALLOWED = Conversion("a", "b", "allowed", "")
OTHER = Conversion("a", "c", "refused", "no")


def content(*conversions: Conversion) -> Content:
    return Content((), (), (), conversions)


def test_what_was_allowed_leaves_its_end_behind() -> None:
    old = content(ALLOWED, OTHER)
    taken = with_withdrawn(old, content(OTHER), NOW)
    gone = Conversion("a", "b", "refused", "", NOW + LATE)
    assert taken.conversions == (OTHER, gone)
    written = Conversion("a", "b", "unsupported", "the media")
    changed = with_withdrawn(old, content(written), NOW)
    assert changed.conversions == (Conversion("a", "b", "unsupported", "the media", NOW + LATE),)
    assert with_withdrawn(old, old, NOW) == old
    assert with_withdrawn(content(OTHER), content(), NOW).conversions == ()


def test_the_end_stays_until_it_is_allowed_again() -> None:
    gone = Conversion("a", "b", "refused", "", NOW)
    for _ in range(2):
        later = with_withdrawn(content(gone), content(OTHER), NOW + LATE)
        assert later.conversions == (OTHER, gone)
    assert with_withdrawn(content(gone), content(ALLOWED), NOW + LATE).conversions == (ALLOWED,)


def test_an_engineer_is_told_of_what_he_changes_and_of_nothing_else() -> None:
    old, new = content(ALLOWED), content()
    assert [(row.id, row.how) for row in rules.diff(old, new)] == [("a to b", "removed")]
    signed = with_withdrawn(old, new, NOW)
    assert rules.diff(signed, new) == ()
    assert [row.how for row in rules.diff(signed, old)] == ["changed"]
    other = content(Conversion("a", "b", "unsupported", "x"))
    assert [row.fields for row in rules.diff(signed, other)] == [("rule", "way")]
    assert rules.diff(with_withdrawn(signed, other, NOW), other) == ()
