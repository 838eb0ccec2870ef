"""A doctor's report for programs."""

from __future__ import annotations

import jsonschema

from muster.core.records import encode, schema
from muster.health.report import Check, Diagnosis, Mark, Topic, diagnosis, report

GOOD = Check(Topic.CLOCK, Mark.OK, "The clock agrees.")
BAD = Check(Topic.GRANT, Mark.FAIL, "It proves none.", "Retire it.", "kms1:1688", "host/no-grant")


def test_what_is_not_there_is_null_and_the_first_failure_is_mended() -> None:
    found = diagnosis([report("client", "", "", [BAD, GOOD]), report("host", "id", "it", [GOOD])])
    shown = encode(found)
    jsonschema.validate(shown, schema(Diagnosis), jsonschema.Draft202012Validator)
    sick, well = found.reports
    assert (found.healthy, sick.healthy, well.healthy) == (False, False, True)
    assert (sick.publisher, sick.label, well.next_fix) == (None, None, None)
    assert sick.next_fix == sick.checks[1]
    assert encode(sick.checks[0]) == {
        "topic": "clock",
        "mark": "ok",
        "host": None,
        "code": None,
        "what": "The clock agrees.",
        "fix": None,
    }


def test_a_machine_without_reports_is_healthy() -> None:
    assert diagnosis([]) == Diagnosis(healthy=True, reports=())
