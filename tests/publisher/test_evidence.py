"""When a clock is in doubt, by values alone, and what a store keeps of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.clock import Uptime
from muster.core.products import DAY
from muster.publisher import evidence, rules
from muster.publisher.evidence import Anchor, Evidence, Reading
from muster.publisher.store import SEEN_FILE

NOW = 1_795_500_000
near = st.integers(-2, 2)
ages = st.one_of(
    st.integers(-400 * DAY, 400 * DAY),
    near.map(lambda n: rules.CLOCK_SLACK + n),
    near.map(lambda n: n - evidence.AHEAD),
)


AGAIN = Reading(NOW, Uptime("another", 5_000.0))
"""After another start of the machine."""


@given(st.lists(st.tuples(ages, st.booleans(), st.booleans()), max_size=5))
def test_a_clock_is_believed_between_the_last_act_and_a_month_after_all_that_is_known(
    known: list[tuple[int, bool, bool]],
) -> None:
    items = [Evidence("it", NOW + age, binds, counts) for age, binds, counts in known]
    found = evidence.doubt(AGAIN, None, items)
    later = [age for age, binds, _ in known if binds and age > rules.CLOCK_SLACK]
    past = [age for age, _, counts in known if counts and age <= rules.CLOCK_SLACK]
    if later:
        assert found is not None
        assert (found.ahead, found.newest.at) == (False, NOW + max(later))
    elif past and max(past) < -evidence.AHEAD:
        assert found is not None
        assert (found.ahead, found.newest.at) == (True, NOW + max(past))
    else:
        assert found is None


SPANS = st.integers(0, 400 * DAY)
OFF = st.integers(-20 * DAY, 20 * DAY)


@given(SPANS, OFF)
def test_a_clock_that_did_not_go_on_as_the_machine_did_was_set(passed: int, off: int) -> None:
    anchor = Anchor(NOW - 29 * DAY, NOW, Uptime("boot", evidence.SETTLING))
    reading = Reading(NOW + passed + off, Uptime("boot", evidence.SETTLING + passed))
    found = evidence.doubt(reading, anchor, [])
    assert (found is not None) is (abs(off) > rules.CLOCK_SLACK + passed // evidence.DRIFT)
    if found is not None:
        assert (found.jumped, found.ahead, found.newest.at) == (True, off > 0, NOW + passed)


@given(st.lists(st.tuples(SPANS, OFF), max_size=30))
def test_what_is_certain_moves_by_the_time_that_passes(steps: list[tuple[int, int]]) -> None:
    anchor = Anchor(NOW, NOW, Uptime("boot", evidence.SETTLING))
    passed = 0
    for step, off in steps:
        passed += step
        reading = Reading(NOW + passed + off, Uptime("boot", evidence.SETTLING + passed))
        certain = (Evidence("the file", anchor.known + step, binds=True),)
        if evidence.doubt(reading, anchor, certain) is None:
            anchor = evidence.believed(reading, anchor, certain)
        assert anchor.known <= NOW + passed


@pytest.mark.parametrize(("ahead", "side"), [(True, "after"), (False, "before")])
def test_a_refusal_names_the_clock_and_the_evidence(ahead: bool, side: str) -> None:
    at = NOW - 40 * DAY if ahead else NOW + 40 * DAY
    fault = evidence.refusal(NOW, evidence.Doubt(Evidence("row 7", at, True), ahead))
    assert f"40 days {side} row 7" in fault.what


ANCHOR = Anchor(NOW - DAY, NOW, Uptime("boot", 1_000.0))


def test_a_store_keeps_from_when_the_time_is_counted(tmp_path: Path) -> None:
    assert evidence.read_anchor(tmp_path) is None
    evidence.write_anchor(tmp_path, ANCHOR)
    assert evidence.read_anchor(tmp_path) == ANCHOR


@pytest.mark.parametrize(
    "text",
    ["", "no number", "[]", "{}", "-1", "1e400", str(2**60)]
    + [f'{{"known":{a},"shown":1,"boot":"b","uptime":{b}}}' for a, b in ((-1, 1), (1, "NaN"))],
)
def test_what_cannot_be_read_is_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / SEEN_FILE).write_text(text)
    assert evidence.read_anchor(tmp_path) is None


def test_the_file_of_before_is_read(tmp_path: Path) -> None:
    (tmp_path / SEEN_FILE).write_text(f"{NOW}\n")
    kept = evidence.read_anchor(tmp_path)
    assert kept is not None
    assert (kept.known, kept.passed(AGAIN)) == (NOW, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the store belongs to another user")
def test_what_root_keeps_in_the_store_of_another_user_is_that_users(tmp_path: Path) -> None:
    os.chown(tmp_path, 4242, 4242)
    evidence.write_anchor(tmp_path, ANCHOR)
    assert (tmp_path / SEEN_FILE).stat().st_uid == 4242
