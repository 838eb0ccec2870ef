"""When a clock is in doubt, by values alone, and what a store keeps of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.products import DAY
from muster.publisher import evidence, rules
from muster.publisher.evidence import Evidence

NOW = 1_795_500_000
near = st.integers(-2, 2)
ages = st.one_of(
    st.integers(-400 * DAY, 400 * DAY),
    near.map(lambda n: rules.CLOCK_SLACK + n),
    near.map(lambda n: n - evidence.AHEAD),
)


@given(st.lists(st.tuples(ages, st.booleans()), max_size=5))
def test_a_clock_is_believed_between_the_last_act_and_a_month_after_all_that_is_known(
    known: list[tuple[int, bool]],
) -> None:
    found = evidence.doubt(NOW, [Evidence("it", NOW + age, binds) for age, binds in known])
    later = [age for age, binds in known if binds and age > rules.CLOCK_SLACK]
    past = [age for age, _ in known if age <= rules.CLOCK_SLACK]
    if later:
        assert found is not None
        assert (found.ahead, found.newest.at) == (False, NOW + max(later))
    elif past and max(past) < -evidence.AHEAD:
        assert found is not None
        assert (found.ahead, found.newest.at) == (True, NOW + max(past))
    else:
        assert found is None


@pytest.mark.parametrize(("ahead", "side"), [(True, "after"), (False, "before")])
def test_a_refusal_names_the_clock_and_the_evidence(ahead: bool, side: str) -> None:
    at = NOW - 40 * DAY if ahead else NOW + 40 * DAY
    fault = evidence.refusal(NOW, evidence.Doubt(Evidence("row 7", at, True), ahead))
    assert f"40 days {side} row 7" in fault.what


def test_the_store_keeps_the_time_once_a_day_and_also_back(tmp_path: Path) -> None:
    file = tmp_path / evidence.SEEN_FILE
    for now, kept in (
        (NOW, NOW),
        (NOW + DAY - 1, NOW),
        (NOW + DAY, NOW + DAY),
        (NOW - 9 * DAY, NOW - 9 * DAY),
    ):
        evidence.remember(tmp_path, now)
        assert file.read_text() == f"{kept}\n"


def test_a_store_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    evidence.remember(tmp_path / "missing", NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the store belongs to another user")
def test_what_root_keeps_in_the_store_of_another_user_is_that_users(tmp_path: Path) -> None:
    os.chown(tmp_path, 4242, 4242)
    evidence.remember(tmp_path, NOW)
    assert (tmp_path / evidence.SEEN_FILE).stat().st_uid == 4242
