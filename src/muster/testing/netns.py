"""Network namespaces: several hosts with addresses of their own on one machine.

`Lab` makes a switch (a bridge in a namespace of its own) and one namespace a node, joined by veth
pairs. Nothing of it touches the machine's own network; leaving the `with` block removes all of it.
Needs root and iproute2; `why_not()` says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PREFIX = "10.77.0"
"""The laboratory's own network, a /24; it exists only inside the namespaces."""


def why_not() -> str | None:
    """Why namespaces cannot be made here, or None where they can."""
    if shutil.which("ip") is None:
        return "needs iproute2: apt-get install iproute2"
    if os.geteuid() != 0:
        return "needs root to make network namespaces"
    name = f"muster-probe-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if tried.returncode != 0:
        return f"needs network namespaces: {tried.stderr.decode(errors='replace').strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


class Node:
    """One machine of the laboratory: a namespace with one address."""

    def __init__(self, namespace: str, link: str, address: str) -> None:
        self.namespace = namespace
        self.address = address
        self._link = link

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command on this node."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def resolver(self, nameserver: str, search: str) -> None:
        """Give the node a resolv.conf of its own, as DHCP would."""
        folder = Path("/etc/netns") / self.namespace
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {nameserver}\nsearch {search}\n")

    def unplug(self) -> None:
        """Pull the cable: from now on nobody reaches the node and it reaches nobody."""
        _ip("-n", self.namespace, "link", "set", self._link, "down")

    def plug(self) -> None:
        """Put the cable back."""
        _ip("-n", self.namespace, "link", "set", self._link, "up")


class Lab:
    """A switch and its nodes.

    Usage: `with Lab() as lab: publisher = lab.node("publisher")`.
    """

    def __init__(self) -> None:
        self._tag = f"mu{os.getpid() % 100_000}"
        self._switch = f"{self._tag}-switch"
        self._nodes: list[Node] = []

    def __enter__(self) -> Self:
        _ip("netns", "add", self._switch)
        try:
            _ip("-n", self._switch, "link", "add", "bridge0", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "bridge0", "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def node(self, name: str) -> Node:
        """Add a machine; its address is the next one of the laboratory's network."""
        number = len(self._nodes) + 1
        namespace = f"{self._tag}-{name}"
        port, link = f"p{number}", "eth0"
        address = f"{PREFIX}.{number}"
        _ip("netns", "add", namespace)
        node = Node(namespace, link, address)
        self._nodes.append(node)
        _ip(
            "-n", self._switch, "link", "add", port, "type", "veth",
            "peer", "name", link, "netns", namespace,
        )  # fmt: skip
        _ip("-n", self._switch, "link", "set", port, "master", "bridge0", "up")
        _ip("-n", namespace, "address", "add", f"{address}/24", "dev", link)
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "link", "set", link, "up")
        return node

    def _remove(self) -> None:
        for namespace in (*(node.namespace for node in self._nodes), self._switch):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
            shutil.rmtree(Path("/etc/netns") / namespace, ignore_errors=True)


def _ip(*words: str) -> None:
    process = subprocess.run(["ip", *words], capture_output=True, check=False)
    if process.returncode != 0:
        message = process.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"ip {' '.join(words)}: {message}")
