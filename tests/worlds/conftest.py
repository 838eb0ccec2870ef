"""Two publishers, a real host of the first, and real machines around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from muster.client.messages import Plan
from muster.core.products import DAY
from muster.testing.clock import ManualClock
from muster.testing.real import RealHost, RealMachine
from muster.testing.tiny_publisher import TinyPublisher

START = 1_795_500_000
"""2026-11-24."""
TOOL = "tool"
"""A product that one machine is enough for."""


def publisher_with_tools(label: str) -> TinyPublisher:
    """A publisher whose products `tool` and `other-tool` need one machine."""
    made = TinyPublisher(label, now=START - 10 * DAY)
    made.publish([made.new_product(name, need=1) for name in (TOOL, "other-tool")])
    return made


class Scene:
    """Publishers Contoso and Fabrikam; a host of Contoso; machines that ask it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.clock = ManualClock(START)
        self.host_clock = ManualClock(START)
        self.contoso = publisher_with_tools("contoso")
        self.fabrikam = publisher_with_tools("fabrikam")
        self.host = self.another_host("host", self.contoso)

    def another_host(self, name: str, *publishers: TinyPublisher) -> RealHost:
        """A host with a key of the group `server` of each publisher, answering."""
        made = RealHost(self.folder / name, self.host_clock, *publishers)
        self._stack.enter_context(made)
        for publisher in publishers:
            made.enrol(publisher, "server")
        return made

    def machine(self, name: str, product: str = TOOL) -> RealMachine:
        """A machine with a product of Contoso, which asks the host."""
        made = RealMachine(self.folder / name, self.clock, Plan(host=self.host.address))
        made.add(self.contoso, product)
        return made

    def licensed_machine(self, name: str) -> RealMachine:
        """The same, licensed."""
        made = self.machine(name)
        assert made.ask().renewed
        return made


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)
