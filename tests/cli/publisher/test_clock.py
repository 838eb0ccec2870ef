"""`muster publisher clock …`, and what other commands say of a clock in doubt."""

from __future__ import annotations

from tests.cli.publisher.conftest import CHEAP, Desk, desk, empty, serving

from muster.core.products import DAY
from muster.core.text import instant_text
from muster.publisher.store import SEEN_FILE

__all__ = ["desk", "empty"]


def seen_at(desk: Desk, instant: int) -> None:
    (database,) = desk.folder.rglob("publisher.db")
    database.with_name(SEEN_FILE).write_text(f"{instant}\n")


def test_a_clock_in_doubt_is_named_with_its_evidence_and_confirmed_by_its_date(desk: Desk) -> None:
    now = desk.data("clock", "show")["time"]
    seen_at(desk, now + 400 * DAY)
    error = desk.data("trust", "rotate", *CHEAP, code=3)["error"]
    assert error["code"] == "publisher/clock"
    assert SEEN_FILE in error["what"]
    assert instant_text(now + 400 * DAY) in error["what"]
    assert "muster publisher clock confirm" in error["fix"]
    shown = desk.text("clock", "show")
    assert SEEN_FILE in shown
    assert "publisher/clock" not in shown
    today = instant_text(desk.data("clock", "show")["time"])[:10]
    assert desk.refused("clock", "confirm", "2026-01-02", code=1) == "publisher/clock-day"
    assert desk.run("clock", "confirm", "tomorrow").exit_code == 2
    assert desk.data("clock", "confirm", today)["changed"] is True
    assert "Nothing spoke against it" in desk.text("clock", "confirm", today)
    assert desk.data("trust", "rotate", *CHEAP)["changed"] is True
    events = [row["event"] for row in desk.data("audit", "list")["audit"]]
    assert "publisher:clock:confirm" in events


def test_a_service_goes_on_when_the_clock_is_confirmed_beside_it(desk: Desk) -> None:
    key = desk.data("key", "issue", "--group", "server-c", "--kind", "host")["keys"][0]
    now = desk.data("clock", "show")["time"]
    seen_at(desk, now + 400 * DAY)
    publisher = desk.data("trust", "show")["publisher"]
    digits = desk.request(key["key"], publisher)
    words = ("host", "activate", "--installation-id", digits)
    with serving(desk, "--port", "0"):
        assert desk.refused(*words, code=3) == "publisher/clock"
        assert desk.data("clock", "confirm", instant_text(now)[:10])["changed"] is True
        assert desk.data(*words)["changed"] is True


def test_mending_says_what_it_did_and_that_nothing_is_to_do(desk: Desk) -> None:
    assert "Nothing is dated in the future." in desk.text("clock", "repair")
    assert desk.data("clock", "repair") == {
        "changed": False,
        "hosts": [],
        "machines": 0,
        "revocations": 0,
        "catalogue": 1,
    }
