"""`muster client agent`, and what `client status` and `doctor` say of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.agent.conftest import Machine, machine

from muster.cli.main import muster
from muster.client import agent, doctor
from muster.client.agent_state import AgentRun, AgentStatus
from muster.core.catalogue import error
from muster.core.records import error_record
from muster.core.values import replace
from muster.health.report import Mark

__all__ = ["machine"]
pytestmark = pytest.mark.real

STATUS = AgentStatus(
    running=True,
    version="1",
    pid=1,
    started=1,
    since=1_800_000_000,
    store="/var/lib/muster",
    socket="/run/muster/agent/agent.sock",
    root_socket="/run/muster/root.sock",
    next_attempt=None,
    last_run=None,
    last_try=None,
)


def test_it_becomes_the_keeper_under_the_same_process_id(machine: Machine) -> None:
    said = machine.start()
    assert said["pid"] == machine.pid
    line = Path(f"/proc/{machine.pid}/cmdline").read_bytes()
    assert b"muster.agent" in line
    assert agent.status(machine.run) is not None


def test_status_and_doctor_say_nothing_of_an_agent_that_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path))
    assert agent.status(store=tmp_path) is None
    done = CliRunner().invoke(muster, ["client", "status"])
    assert "Agent" not in done.stdout


def test_the_doctor_says_how_it_stands() -> None:
    def check(agent: AgentStatus) -> tuple[Mark, str]:
        found = doctor.check_agent(agent)
        return found.mark, found.code

    assert check(STATUS) == (Mark.OK, "")
    assert check(replace(STATUS, running=False)) == (Mark.WARN, "client/no-agent")
    fault = error_record(error("client/no-facts"))
    tried = AgentRun(1_800_000_000, "keep", (), None)
    assert check(replace(STATUS, last_try=tried)) == (Mark.OK, "")
    failed = AgentRun(1_800_000_000, "keep", (), fault)
    assert check(replace(STATUS, last_try=failed)) == (Mark.WARN, "client/no-facts")
