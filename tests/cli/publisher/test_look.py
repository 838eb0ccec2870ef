"""`muster publisher status`: what is said of a publisher that runs, and of one that does not."""

from __future__ import annotations

from tests.cli.publisher.conftest import Desk, desk, empty, serving

from muster.publisher.store import SEEN_FILE

__all__ = ["desk", "empty"]


def test_a_publisher_that_does_not_run_is_said_not_to_run(desk: Desk) -> None:
    assert desk.data("status")["process"] is None
    shown = desk.text("status")
    assert "NOT RUNNING" in shown
    assert "believed" in shown


def test_a_publisher_whose_database_is_away_says_whether_its_service_runs(desk: Desk) -> None:
    """The process is asked without the database."""
    with serving(desk, "--port", "0", "--operation-address", "off") as (running, _):
        (database,) = desk.folder.rglob("publisher.db")
        database.rename(database.with_name("away"))
        found = desk.run("status")
        assert found.exit_code == 3
        assert str(running.pid) in found.stderr
        assert "db/" in found.stderr
        database.with_name("away").rename(database)


def test_a_publisher_that_runs_says_where_and_what_is_wrong(desk: Desk) -> None:
    with serving(desk, "--port", "0", "--operation-address", "off") as (running, said):
        process = desk.data("status")["process"]
        assert (process["pid"], process["answers"], process["ready"]) == (running.pid, True, True)
        assert said["url"].endswith(f":{process['port']}")
        assert (process["operation"], process["problems"]) == (None, [])
        assert f"Listening on port:           {process['port']} at" in desk.text("status")
    assert desk.data("status")["process"] is None
    now = desk.data("clock", "show")["time"]
    (database,) = desk.folder.rglob("publisher.db")
    database.with_name(SEEN_FILE).write_text(f"{now + 400 * 86400}\n")
    with serving(desk, "--port", "0", "--operation-address", "off"):
        shown = desk.data("status")
        assert "clock.seen" in shown["clock"]
        (problem,) = shown["process"]["problems"]
        assert (shown["process"]["ready"], problem["area"]) == (False, "signing")
        assert problem["code"] == "publisher/clock"
        text = desk.text("status")
        assert "NOT READY" in text
        assert "NOT BELIEVED" in text
        assert "PROBLEM" in text
