"""Defaults of the whole suite: examples by a profile, and in CI a skipped test is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from muster.testing.postgres import PostgresServer

pytest_plugins = ["tests.profiles", "tests.sharing"]

IN_CI = os.environ.get("CI") == "true"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A missing part may skip a test on somebody's machine, never in CI."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where every part must be there: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL server, one for each process of the suite."""
    try:
        server = PostgresServer()
    except FileNotFoundError as fault:
        pytest.skip(str(fault))
    with server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of a new, empty database."""
    return postgres_server.database()
