"""The images of deploy/containers: built offline, run without root on a read-only root."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import click
import pytest
from tests.packages.engine import Engine, recipe
from tests.packages.machine import wait_for

from muster.cli.main import muster

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("packages"), pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "images.md"


# Starting a container takes half a minute on some machines; the cause is not found yet.
@pytest.mark.torture
def test_the_page_as_it_stands(images: Engine, tmp_path: Path) -> None:
    engine = images
    (tmp_path / "passphrase").write_text("x" * 20 + "\n")
    headings = ("A publisher", "A host", "Upgrade")
    assert PAGE.read_text().count("```sh\n") == len(headings) + 1

    def play(heading: str) -> str:
        script = recipe(heading)
        url = "http://127.0.0.1:16882"
        return engine.run("sh", "-euc", script, folder=tmp_path, PUBLISHER_URL=url)

    play("A publisher")
    wait_for(lambda: answers(engine, 16882))
    play("A host")
    wait_for(lambda: answers(engine, 16880))
    for name, user in (("publisher", "16882"), ("host", "16880")):
        closed_off(engine, name, user)
        wait_for(partial(healthy, engine, name))
    before = keys(engine)
    play("Upgrade")
    wait_for(lambda: answers(engine, 16880))
    assert keys(engine) == before

    # A second container on the same volume is refused, and SIGTERM ends each with 0.
    second = ("podman", "run", "--rm", "--volume", "muster-host:/var/lib/muster", "muster-host")
    assert "file/served" in engine.try_run(*second).stderr
    for name in ("host", "publisher"):
        engine.run("podman", "stop", name)
        ended = engine.run("podman", "inspect", "--format", "{{.State.ExitCode}}", name)
        assert ended == "0\n", engine.try_run("podman", "logs", name).stderr
        engine.run("podman", "rm", name)


def test_compose_types_no_command_that_is_not_there() -> None:
    text = (ROOT / "deploy" / "containers" / "compose.yaml").read_text().replace("\\\n", " ")
    lines = re.findall(r"^ +(?:exec |until )?muster (.*?)(?:;|<|$)", text, re.M)
    assert len(lines) == 11
    for line in lines:
        command: click.Command | None = muster
        words = line.split()
        while isinstance(command, click.Group):
            command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, line
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def closed_off(engine: Engine, name: str, user: str) -> None:
    """It runs as that user, without a capability, and cannot write beside its volume."""
    status = engine.run("podman", "exec", name, "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == [user] * 4
    assert fields["Gid"].split() == [user] * 4
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    write = "touch /usr/x || touch /etc/x || touch /var/lib/x || echo nowhere"
    assert engine.run("podman", "exec", name, "sh", "-c", write) == "nowhere\n"


def healthy(engine: Engine, name: str) -> bool:
    return engine.try_run("podman", "healthcheck", "run", name).returncode == 0


def answers(engine: Engine, port: int) -> bool:
    asked = ("curl", "-sS", "--max-time", "20", f"http://127.0.0.1:{port}/healthz")
    return engine.try_run(*asked).stdout == '{"status":"ok"}'


def keys(engine: Engine) -> object:
    """Host keys with their grants."""
    status = engine.run("podman", "exec", "host", "muster", "host", "status", "--json")
    found = json.loads(status)["publishers"][0]["keys"]
    assert found[0]["grant"]["group"] == "server-c"
    return found
