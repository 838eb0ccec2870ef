"""A real PostgreSQL server for tests: a cluster of its own on a free port of loopback.

It is made in a temporary folder, started and stopped by process id, and may be killed and started
again. PostgreSQL refuses to run as root; started by root, it runs as the user `postgres`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from muster.testing.netns import Node

STARTED = 60.0
"""Seconds that a server may take to answer."""


def programs() -> Path | None:
    """The folder of PostgreSQL's server programs, of the newest version; None without one."""
    paths = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(path.parts[-3]) if path.parts[-3].isdecimal() else 0,
    )
    if paths:
        return paths[-1].parent
    alone = shutil.which("initdb")
    return Path(alone).parent if alone else None


class PostgresServer:
    """One server. Made stopped; use it as a context manager, or `start` and `stop` it.

    Args:
        node: the machine of a laboratory that it runs on, and is reached at; loopback by default.
    Raises: `FileNotFoundError` where PostgreSQL is not installed.
    """

    def __init__(self, node: Node | None = None) -> None:
        path = programs()
        if path is None:
            raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
        self._programs = path
        self._node = node
        self._address = "127.0.0.1" if node is None else node.address
        # Not in a test's own folder: the user `postgres` may not enter those.
        folder = Path(tempfile.mkdtemp(prefix="muster-postgres-"))
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            folder.chmod(0o755)
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-A",
            "trust",
            "-U",
            "muster",
            "--no-sync",
            "--locale=C",
            "--encoding=UTF8",
        )
        if node is not None:
            with (self._data / "pg_hba.conf").open("a") as allowed:
                allowed.write("host all all samenet trust\n")

    def _as_user(self, *arguments: str) -> list[str]:
        command = [str(self._programs / arguments[0]), *arguments[1:]]
        if os.geteuid() == 0:
            rights = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
            command = ["setpriv", *rights, *command]
        return command if self._node is None else self._node.wrap(command)

    def _run(self, *arguments: str) -> str:
        process = subprocess.run(
            self._as_user(*arguments),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=STARTED,
            check=False,
        )
        if process.returncode:
            raise RuntimeError(f"{arguments[0]}: {process.stdout}{process.stderr}")
        return process.stdout

    def start(self) -> PostgresServer:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._as_user(
                    "postgres",
                    *("-D", str(self._data), "-p", str(self.port)),
                    *("-c", f"listen_addresses={self._address}"),
                    *("-c", f"unix_socket_directories={self._folder}"),
                    *("-c", "max_connections=200"),
                ),
                cwd="/",
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + STARTED
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError):
                self.sql("postgres", "SELECT 1")
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()[-2000:]}")

    @property
    def pid(self) -> int:
        """The server's first process."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends its connections at once, SIGQUIT is a crash."""
        process, pid = self._process, self.pid if self._process is not None else 0
        self._process = None
        if process is not None and process.poll() is None:
            os.kill(pid, how)
            process.wait(STARTED)

    def sql(self, database: str, statement: str) -> str:
        """Run one statement with psql; what it printed."""
        return self._run(
            *("psql", "-h", self._address, "-p", str(self.port), "-U", "muster"),
            *("-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement, database),
        )

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"db{next(self._numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return f"postgresql://muster@{self._address}:{self.port}/{name}"

    def __enter__(self) -> PostgresServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
