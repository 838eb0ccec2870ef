"""When a host asks for news: spread out, and less often while it gets no answer."""

from __future__ import annotations

import pytest

from muster.core.products import DAY
from muster.host import schedule
from muster.system.entropy import SeededDice

NOW = 1_800_000_000


@pytest.mark.parametrize("seed", range(20))
def test_hosts_that_start_together_do_not_ask_together(seed: int) -> None:
    dice = SeededDice(f"host {seed}")
    assert NOW <= schedule.first(NOW, DAY, dice) < NOW + schedule.FIRST
    assert NOW <= schedule.first(NOW, 60, dice) < NOW + 60
    assert schedule.first(NOW, 0, dice) == NOW
    after = schedule.following(NOW, DAY, 0, dice)
    assert NOW + DAY - DAY // 10 < after <= NOW + DAY


@pytest.mark.parametrize("seed", range(20))
def test_a_host_that_starts_often_asks_no_more_often(seed: int) -> None:
    dice = SeededDice(f"host {seed}")
    assert schedule.restarted(NOW, DAY, NOW + DAY, 0, dice) == NOW + DAY
    # What is overdue is spread over the hosts of a site; who got no answer is asked soon.
    for next_at, failures in ((NOW - DAY, 0), (NOW - DAY, 3), (NOW + DAY, 3)):
        at = schedule.restarted(NOW, DAY, next_at, failures, dice)
        assert NOW <= at < NOW + schedule.FIRST


def test_who_gets_no_answer_asks_less_often_and_never_less_than_was_set() -> None:
    dice = SeededDice("host")
    waits = [schedule.following(NOW, DAY, failures, dice) - NOW for failures in range(1, 40)]
    for number, wait in enumerate(waits):
        most = min(DAY, schedule.AGAIN << number)
        assert most - most // 10 < wait <= most
    assert schedule.following(NOW, 900, 1, dice) <= NOW + 900


@pytest.mark.parametrize("seed", range(20))
def test_requests_bring_askings_forward_but_not_often(seed: int) -> None:
    dice, due = SeededDice(f"host {seed}"), NOW + DAY
    long_ago, just_now = NOW - schedule.PAUSE, NOW - 1
    assert NOW <= schedule.hinted(NOW, long_ago, due, dice) < NOW + schedule.SOON
    paused = just_now + schedule.PAUSE
    assert paused <= schedule.hinted(NOW, just_now, due, dice) < paused + schedule.SOON
    assert schedule.hinted(NOW, just_now, NOW + 5, dice) == NOW + 5
    # A clock that was put back: the schedule of before stays.
    assert schedule.hinted(NOW, NOW + 9 * DAY, due, dice) == due
