"""`muster client agent`: keep this machine licensed, and answer programs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

import muster
from muster.cli import compose
from muster.cli.client.options import machine_options
from muster.cli.output import MusterCommand, wants_json
from muster.core.catalogue import error


@click.command(cls=MusterCommand)
@click.option(
    "--run",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of its sockets and state; by default /run/muster, or 'run' in a store of its own.",
)
@machine_options
def agent(run: Path | None, machine: compose.Machine) -> None:
    """Keep every product of this machine licensed until SIGTERM; answer at two sockets.

    Run it as root: it reads the hardware facts and writes them for programs of ordinary users.
    SIGHUP reads the settings again.
    """
    if sys.platform != "linux":
        raise error("agent/platform")
    options = json.dumps(machine.agent_options(run, as_json=wants_json()))
    sys.stdout.flush()
    # Becomes another program under the same process id: what reads command lines takes memory.
    # It finds us where we are, also where that is no folder of the interpreter [packages].
    environ = {**os.environ, "PYTHONPATH": str(Path(muster.__file__).resolve().parents[1])}
    program = [sys.executable, "-P", "-m", "muster.agent", options]
    os.execve(sys.executable, program, environ)  # noqa: S606
