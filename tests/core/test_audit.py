"""The table of audit events."""

from __future__ import annotations

import re

import pytest

from muster.core.audit import Event

GRAMMAR = re.compile(r"(publisher|host|client|manager):[a-z]+(-[a-z]+)*:[a-z]+(-[a-z]+)*")


@pytest.mark.parametrize("event", Event, ids=lambda event: str(event.value))
def test_every_event_is_whole(event: Event) -> None:
    assert GRAMMAR.fullmatch(event.value)
    assert event.meaning.endswith(".")
    assert Event(event.value) is event


def test_values_and_names_are_unique() -> None:
    """An alias would hide an event behind another one's name."""
    assert len(Event.__members__) == len(list(Event))
