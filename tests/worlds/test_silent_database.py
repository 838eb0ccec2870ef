"""A publisher whose PostgreSQL keeps silent, under load: packets of established connections vanish,
then all of them, then they come again (docs/adr/0020-bounded-waits.md)."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.net.exposition import series
from tests.worlds.database_site import Site, missing

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

THREADS = 12


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        yield Site(tmp_path, stack, THREADS)


def test_a_silent_database_costs_seconds_and_no_answer(site: Site) -> None:
    site.answered(more=20)
    assert site.health("/readyz")[0] == 200

    # An address that moved: what is established is silent for ever, new connections are heard.
    site.swallow(f"tcp {{port}} {{{{ {site.ports()} }}}}")
    site.answered(more=20)

    # Nothing is heard at all.
    site.nft("delete table inet silent")
    site.swallow(f"ip {{way}} {site.database.address}")
    site.answered(more=5, status=503)
    site.until(lambda: site.health("/readyz")[0] == 503, "it says that it is ready")
    status, body = site.health("/readyz")
    assert [one["code"] for one in json.loads(body)["problems"]] == ["db/unavailable"]
    assert site.health("/healthz")[0] == 200
    status, text = site.health("/metrics")
    assert status == 200
    problem = {"area": "database", "code": "db/unavailable"}
    assert series(text, "muster_publisher_problems", **problem) == 1

    # What was done for it at the database has ended, with every lock.
    site.until(lambda: site.backends() == 0, "the database serves who is gone")

    # Back again: it goes on by itself.
    site.nft("delete table inet silent")
    site.answered(more=20)
    site.until(lambda: site.health("/readyz")[0] == 200, "it is not ready again")

    site.end_asking()
    told = site.told()
    assert {status for _, status, *_ in told} == {200, 503}, "nobody waited, or was cut"
    assert all(again for _, status, _, again, _ in told if status == 503), "Retry-After"
    assert "Traceback" not in site.log()
    # No answer is lost: each is a draw, and is given again.
    activated = {what: digits for what, status, digits, *_ in told if digits}
    drawn = site.run("key", "show", site.key.key_id.text).inner("key").inner("pool").number("drawn")
    assert drawn >= len(activated)
    some = next(iter(activated))
    assert site.run("confirm", *some.split()).text("confirmation_id") == activated[some]

    # And it ends, while nothing is heard.
    site.swallow(f"ip {{way}} {site.database.address}")
    child = site.programs.child("publisher")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0, site.log()[-1500:]
