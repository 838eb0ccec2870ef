"""Network addresses that say nothing of a machine, and those that do not last.

Decides by value alone which permanent address can be a fact and which may bind a one-time licence.
Refuses to know buses and devices: that is `muster.system.hardware`.
"""

from __future__ import annotations

import re

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")

_HYPERVISORS = (
    "00:15:5d",  # Hyper-V, from a pool of the host; new at each start under WSL2
    "00:0c:29", "00:50:56", "00:05:69", "00:1c:14",  # VMware
    "52:54:00",  # QEMU, KVM
    "00:16:3e",  # Xen
    "bc:24:11",  # Proxmox
    "08:00:27",  # VirtualBox
    "00:1c:42",  # Parallels
    "fa:16:3e",  # OpenStack
    "00:0d:3a", "00:22:48",  # Azure
)  # fmt: skip
"""Beginnings of addresses that a hypervisor gives to each virtual card."""


def virtual_card(mac: str) -> bool:
    """Whether an address is one that hypervisors give."""
    return mac.startswith(_HYPERVISORS)


def lasts(mac: str) -> bool:
    """Whether a usable address may bind a licence for ever: real hardware carries it."""
    return not virtual_card(mac)
