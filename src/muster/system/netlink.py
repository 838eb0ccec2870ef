"""Permanent addresses of network cards, asked of the kernel by netlink as `ethtool -P` shows them.

A card's current address may have been set by a user, by a bond or at random; what its maker gave it
is told by `IFLA_PERM_ADDRESS` of RTM_GETLINK (Linux 5.6 and later). Everything that the kernel
answers is read within bounds. No other system has this channel.

Sources: rtnetlink(7), netlink(7); Linux, include/uapi/linux/if_link.h.
"""

from __future__ import annotations

import socket
import struct

_GETLINK, _NEWLINK = 18, 16
_DONE, _ERROR = 3, 2
_REQUEST, _DUMP = 0x001, 0x300
_IFNAME, _PERM_ADDRESS = 3, 54
_HEAD = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_TYPES = 0x3FFF
_LARGEST = 256 * 1024
_MESSAGES = 64
_SECONDS = 2.0


def permanent_addresses() -> dict[str, str]:
    """The permanent address of each network device of this process's namespace, by its name.

    Devices without one are left out; so is everything where the kernel does not answer.
    """
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return {}
    permanent: dict[str, str] = {}
    try:
        with socket.socket(family, socket.SOCK_RAW, 0) as asking:
            asking.settimeout(_SECONDS)
            asking.bind((0, 0))
            body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
            head = _HEAD.pack(_HEAD.size + len(body), _GETLINK, _REQUEST | _DUMP, 1, 0)
            asking.send(head + body)
            for _ in range(_MESSAGES):
                data, sender = asking.recvfrom(_LARGEST)
                if sender[0] != 0:
                    continue
                addresses, ended = read_links(data)
                permanent.update(addresses)
                if ended:
                    break
    except OSError:
        return permanent
    return permanent


def read_links(data: bytes) -> tuple[dict[str, str], bool]:
    """Names and permanent addresses in one answer, and whether it was the last one.

    Any bytes are read: what does not fit ends the reading of its part.
    """
    links: dict[str, str] = {}
    at = 0
    while at + _HEAD.size <= len(data):
        length, kind, _flags, _sequence, _port = _HEAD.unpack_from(data, at)
        if kind in (_DONE, _ERROR):
            return links, True
        if not _HEAD.size <= length <= len(data) - at:
            return links, True
        if kind == _NEWLINK:
            parts = _attributes(data[at + _HEAD.size + _LINK.size : at + length])
            name = parts.get(_IFNAME, b"").rstrip(b"\0").decode("ascii", "replace")
            address = parts.get(_PERM_ADDRESS, b"")
            if name and len(address) == 6 and any(address):
                links[name] = address.hex(":")
        at += _aligned(length)
    return links, False


def _attributes(data: bytes) -> dict[int, bytes]:
    attributes: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            break
        attributes[kind & _TYPES] = data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return attributes


def _aligned(length: int) -> int:
    return (length + 3) & ~3
