"""Podman for tests: a store of its own, in namespaces without a way to any other network."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

SECONDS = 300
PAGE = Path(__file__).resolve().parents[2] / "docs" / "images.md"
BASE = "docker.io/library/debian:12-slim"
"""What the Containerfile names; in tests it is the root that debootstrap made."""
LIMITS = """\
[containers]
# As far as a machine lets that is a container itself: its limits, and one network for all.
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""


class Engine:
    """Podman with a folder of its own; everything that runs ends with `stop`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "containers.conf").write_text(LIMITS)
        (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            # A build needs no runtime of containers, and no network.
            "BUILDAH_ISOLATION": "chroot",
        }
        script = str(Path(__file__).with_name("engine.sh"))
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", script, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"

    def try_run(
        self, *command: str, folder: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """What a program prints and returns, in the namespaces."""
        place = [
            "nsenter",
            "-t",
            str(self._holder.pid),
            "--mount",
            "--net",
            f"--wd={folder or '/'}",
        ]
        return subprocess.run(
            [*place, *command],
            env={**self.environment, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def run(self, *command: str, folder: Path | None = None, **environ: str) -> str:
        """What a program prints; it must succeed."""
        done = self.try_run(*command, folder=folder, **environ)
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def stop(self) -> None:
        """Remove the containers, then the namespaces."""
        self.try_run("podman", "rm", "--all", "--force", "--time", "0")
        self._holder.communicate()


def recipe(heading: str) -> str:
    """The only block of commands of a chapter of the page."""
    chapter = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```", chapter, re.M | re.S)
    return str(block)
