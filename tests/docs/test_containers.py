"""The recipes of docs/containers.md run as they stand there, against a host on loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.system.clock import SystemClock
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.tiny_host import TinyHost
from muster.testing.world import machine_facts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "containers.md"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="facts that a variable names must be root's"),
]


def recipes(heading: str) -> list[str]:
    """The blocks of one chapter of the page."""
    chapter = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL)


class Site:
    """Machines that share nothing but a host; each is a folder with a store."""

    def __init__(self, folder: Path, served: LoopbackHost) -> None:
        self.folder = folder
        self.served = served
        bin_ = folder / "bin"
        bin_.mkdir()
        (bin_ / "muster").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m muster "$@"\n')
        (bin_ / "muster").chmod(0o755)

    def descriptor(self, product: str) -> Path:
        path = self.folder / f"{product}.json"
        path.write_bytes(self.served.publisher.descriptor(product))
        path.chmod(0o600)
        return path

    def run(
        self, machine: str, script: str, product: str, facts: dict[str, str], **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a recipe on a machine whose facts are these."""
        written = self.folder / f"{machine}-facts.json"
        written.write_bytes(facts_file(facts))
        written.chmod(0o600)
        return subprocess.run(
            ["sh", "-eu", "-c", script],
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self.folder),
                "MUSTER_STORE": str(self.folder / machine),
                "MUSTER_FACTS": str(written),
                "DESCRIPTOR": str(self.descriptor(product)),
                "HOST": self.served.address.text,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def licensed(
        self, machine: str, script: str, product: str, facts: dict[str, str], **variables: str
    ) -> str:
        """Run a recipe that must end with a licence; gives the CMID."""
        done = self.run(machine, script, product, facts, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        told = self.run(machine, "muster client status --check --json", product, facts, **variables)
        assert told.returncode == 0, told.stdout + told.stderr
        return str(json.loads(told.stdout)["products"][0]["cmid"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with LoopbackHost() as served:
        yield Site(tmp_path, served)


def serve_office(site: Site) -> None:
    """Let the host serve the product that allows mode explicit."""
    host = TinyHost(site.served.publisher, SystemClock(), "office", "office")
    host.crowd(100, "office")
    site.served.host = host


IMAGE = {"machine-id": "1c4ad377574c4263adbb7c624b6a3429", "cpu-model": "AMD EPYC 7R13"}
"""What is left to see in a container of an ordinary user."""


def test_every_recipe_is_run_here() -> None:
    count = PAGE.read_text(encoding="utf-8").count("```sh\n")
    assert count == sum(len(recipes(name)) for name in CHAPTERS)


CHAPTERS = ("Containers", "Pooled desktops", "Golden images", "CI", "Many users of one machine")


def test_containers(site: Site) -> None:
    serve_office(site)
    (start,) = recipes("Containers")
    first = site.licensed("web-0", start, "office-drawing", IMAGE, PLACE="shop/web-0")
    other = site.licensed("web-1", start, "office-drawing", IMAGE, PLACE="shop/web-1")
    again = site.licensed("web-0-new", start, "office-drawing", IMAGE, PLACE="shop/web-0")
    assert first == again
    assert first != other
    plain = start.replace('--identity explicit --id "$PLACE"', "")
    refused = site.run("web-2", plain, "office-drawing", IMAGE, PLACE="")
    assert refused.returncode != 0
    assert "client/no-facts" in refused.stdout + refused.stderr


def test_pooled_desktops(site: Site) -> None:
    """Two seats start from one image, twice each, and are two machines."""
    (boot,) = recipes("Pooled desktops")
    boot = boot.replace("facts --write", "facts")  # the file stands in for the firmware here
    seats = {name: machine_facts(name) | IMAGE for name in ("seat-1", "seat-2")}
    seen: dict[str, set[str]] = {name: set() for name in seats}
    for turn in ("monday", "tuesday"):
        for name, facts in seats.items():
            seen[name].add(site.licensed(f"{name}-{turn}", boot, "desktop-pro", facts))
    assert [len(found) for found in seen.values()] == [1, 1]
    assert seen["seat-1"] != seen["seat-2"]
    # The image holds a store that was activated on another seat.
    shutil.copytree(site.folder / "seat-1-monday", site.folder / "seat-3")
    copied = site.licensed("seat-3", boot, "desktop-pro", machine_facts("seat-3") | IMAGE)
    assert copied not in seen["seat-1"] | seen["seat-2"]


def test_golden_images(site: Site) -> None:
    image, first_boot = recipes("Golden images")
    made = site.run("image", image, "desktop-pro", machine_facts("factory"))
    assert made.returncode == 0, made.stderr
    seen = set()
    for name in ("copy-1", "copy-2", "copy-3"):
        shutil.copytree(site.folder / "image", site.folder / name)
        facts = machine_facts(name) | IMAGE
        seen.add(site.licensed(name, first_boot, "desktop-pro", facts))
    # The image was activated all the same, and a copy of it is seen by an ordinary user.
    activated = site.licensed("image", first_boot, "desktop-pro", machine_facts("factory"))
    shutil.copytree(site.folder / "image", site.folder / "copy-4")
    few = {"permanent-macs": "52:54:00:5e:0a:01", **IMAGE}
    refused = site.run("copy-4", "muster client status --check", "desktop-pro", few)
    assert refused.returncode == 1
    assert "client/other-machine" in refused.stdout
    seen |= {activated, site.licensed("copy-4", first_boot, "desktop-pro", few)}
    assert len(seen) == 5


def test_ci(site: Site) -> None:
    serve_office(site)
    begin, end = recipes("CI")
    one = site.licensed("job-1", begin, "office-drawing", IMAGE, RUNNER="runner-1")
    done = site.run("job-1", end, "office-drawing", IMAGE, RUNNER="runner-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.served.host.released == [one]
    again = site.licensed("job-2", begin, "office-drawing", IMAGE, RUNNER="runner-1")
    assert again == one


def test_many_users(site: Site) -> None:
    """Root's lease serves a program that reads fewer facts, without another machine."""
    setup, boot = recipes("Many users of one machine")
    facts = machine_facts("pc-1")
    root = site.licensed("pc-1", setup, "desktop-pro", facts)
    few = {name: facts[name] for name in ("permanent-macs", "machine-id", "cpu-model")}
    assert site.licensed("pc-1", "true", "desktop-pro", few) == root
    written = site.run("pc-1", boot, "desktop-pro", facts)
    assert written.returncode == 0
    assert "facts were written to" in written.stdout
