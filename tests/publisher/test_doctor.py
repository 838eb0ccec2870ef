"""The publisher's part of the doctor: the answers of `status`, and what comes to an end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muster.core.catalogue import error
from muster.core.products import DAY
from muster.health.problem import Problem
from muster.health.process import ServerProcess
from muster.health.report import Mark, Report, Topic
from muster.publisher import doctor, look
from muster.publisher.running import EndingGrant, PublisherStatus, PublisherSurroundings

from .conftest import Shop

NOW = 1_795_500_000
SERVES = ServerProcess(7, NOW, answers=True, address="192.0.2.1", port=16880, ready=True)
STATUS = PublisherStatus("p" * 16, "contoso", "Contoso", "/store", 3, 5, None, SERVES)
WELL = PublisherSurroundings(NOW, STATUS, "/store/publisher.db", NOW - DAY, NOW - DAY, ())


def told(report: Report, mark: Mark) -> list[str]:
    return [f"{check.what} {check.fix}" for check in report.checks if check.mark is mark]


def test_nothing_is_wrong() -> None:
    report = doctor.diagnose(SERVES, WELL, None)
    assert (report.role, report.label, report.next_fix) == ("publisher", "contoso", None)
    assert {check.mark for check in report.checks} == {Mark.OK}
    assert {check.topic for check in report.checks} == {
        *(Topic.REACHABILITY, Topic.CLOCK, Topic.GRANT, Topic.CATALOGUE)
    }


def test_what_the_process_says_is_told_once() -> None:
    clock = Problem("signing", "publisher/clock", "It is late.", "Set it.", NOW)
    disk = Problem("database", "db/full", "There is no space.", "Free some.", NOW)
    ill = replace(SERVES, ready=False, problems=(clock, disk))
    report = doctor.diagnose(ill, replace(WELL, status=replace(STATUS, clock="It is late.")), None)
    assert told(report, Mark.FAIL) == [
        "The running service says: There is no space. Free some.",
        "The running service says: It is late. Set it.",
    ]
    alone = doctor.diagnose(None, replace(WELL, status=replace(STATUS, clock="It is late.")), None)
    assert [check.code for check in alone.checks if check.mark is Mark.FAIL] == ["publisher/clock"]
    assert "serve" in told(alone, Mark.WARN)[0]


@pytest.mark.parametrize(
    ("process", "words"),
    [
        (ServerProcess(7, NOW, answers=False), "does not answer"),
        (ServerProcess(7, NOW, answers=False, busy=True), "asked too much"),
        (replace(SERVES, ready=False), "not ready"),
    ],
)
def test_a_process_that_says_nothing_good(process: ServerProcess, words: str) -> None:
    (found,) = told(doctor.diagnose(process, WELL, None), Mark.FAIL)
    assert words in found


def test_a_database_that_is_away_leaves_what_the_process_says() -> None:
    report = doctor.diagnose(
        SERVES, None, error("db/unavailable", path="x", detail="away", retry_after=9)
    )
    assert [check.mark for check in report.checks] == [Mark.OK, Mark.FAIL]
    assert report.next_fix is not None
    assert report.next_fix.code == "db/unavailable"


def test_what_is_old_or_ends_is_told() -> None:
    ending = tuple(EndingGrant(f"0-1-{n}", "srv", NOW + (n - 1) * DAY) for n in range(8))
    found = replace(WELL, trust_at=NOW - 401 * DAY, catalogue_at=NOW - 400 * DAY, ending=ending)
    said = told(doctor.diagnose(SERVES, found, None), Mark.WARN)
    assert len(said) == 5 + 1 + 1
    assert "0-1-0, host 'srv', ended on" in said[0]
    assert "0-1-2, host 'srv', ends on" in said[2]
    assert said[5].startswith("3 more grants")
    assert "trust rotate" in said[6]


def test_grants_near_their_end_are_found(shop: Shop) -> None:
    admin, service = shop.admin(), shop.service()
    for number, term in enumerate((0, 1, 2, 1)):
        key = admin.issue_host_keys("server-c", term=term)[0].key
        service.activate_host(shop.host(key, signing=number + 1).digits(), "http")
        if number == 3:
            admin.revoke_key(key.key_id.text)
    ends = shop.clock.now() // DAY * DAY + 30 * DAY
    assert [row.ends for row in look.surroundings(admin).ending] == [ends]
    shop.clock.days(29)
    assert [row.ends for row in look.surroundings(admin).ending] == [ends]
    shop.clock.days(2)
    assert [row.ends for row in look.surroundings(admin).ending] == [ends, ends + 30 * DAY]
