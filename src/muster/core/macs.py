"""Network addresses: which are facts at all, and which last long enough to bind a licence.

Decides by value alone. Refuses to know buses and devices: that is `muster.system.network_cards`.
Obeys docs/spec/01-identities.md, section 1.6.1. The tables are not part of any format.

Sources: IEEE's register of assignments, as systemd's hwdb prints it; the block list of GLPI
(glpi-project/glpi, Blacklist) and FusionInventory; Dell OpenManage's COMMON_MAC_ADDRESSES
(ansible-collections, dellemc.openmanage); Palo Alto's and Juniper's notes on shared addresses of
their VPN clients; the Linux kernel's drivers/net/usb for who makes USB adapters; Chromium's list of
addresses that are no identity of a machine (device_id.cc); HP UCMDB's ignored addresses; addresses
that boot loaders give where a board has none (U-Boot's CONFIG_ETHADDR,
ophub/amlogic-s9xxx-armbian#1800, OpenNuvoton/MA35D1_Buildroot#9, LibreRouterOrg/board#20,
grblHAL/Plugin_networking#16).
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.patterns import pattern
from muster.core.placeholders import fills_bytes

GIVEN_BY_HYPERVISORS = (
    "00:05:69 00:0c:29 00:1c:14 00:50:56",  # VMware
    "00:15:5d",  # Hyper-V, from a pool of the host; another one at each start of WSL2
    "00:0d:3a 00:22:48 7c:1e:52",  # Azure
    "52:54:00",  # QEMU and KVM
    "00:16:3e",  # Xen
    "bc:24:11",  # Proxmox
    "08:00:27",  # VirtualBox
    "00:1c:42",  # Parallels
    "fa:16:3e",  # OpenStack
    "50:6b:8d",  # Nutanix
)
"""Beginnings of addresses that hypervisors give, each virtual card another one. Copies of a machine
differ in them, so they count for leases; a definition made again draws again, so none binds."""

OF_ADAPTERS = (
    "00:0e:c6 20:7b:d2 9c:69:d3 b8:9d:e5 c8:a3:62 cc:47:92 f8:e4:3b",  # ASIX, USB chips only
    "00:e0:4c",  # Realtek: USB adapters of many brands, and boards whose maker left it in
    "10:82:86 2c:27:e4 3c:18:a0 60:6d:3c 60:7d:09 74:e6:c7 8c:53:87 e8:95:26",  # Luxshare
    "6c:6e:07 a0:ce:c8",  # CE Link
    "0c:37:96 9c:eb:e8 ac:00:f9",  # BizLink
    "00:50:b6",  # Good Way: docks of Lenovo, HP and Targus
    "00:24:9b",  # Action Star: docks
    "8c:ae:4c",  # Plugable
    "00:05:1b",  # Magic Control: docks with displays
    "64:4b:f0",  # CalDigit
    "6c:1f:f7 ec:1a:c3",  # Ugreen
    "c8:4d:44",  # Shenzhen Jiapeng Huaxiang
    "e8:ea:6a",  # StarTech.com
    "00:22:8b",  # Kensington
    "00:0f:9d 6c:a9:36",  # DisplayLink
    "00:30:93",  # Sonnet
    "4c:56:df",  # Targus
    "80:3f:5d",  # Winstars
    "00:60:6e",  # Davicom
    "00:13:3b",  # Speed Dragon
)
"""Beginnings of addresses of makers whose cards are USB adapters and docks: they travel."""

_SHARED_BEGINNINGS = (
    "00:50:56:c0:",  # VMware's own networks on its host
    "0a:00:27:",  # VirtualBox's own networks on its host
    "02:42:",  # Docker
    "00:ff:",  # TAP of OpenVPN and others
    "00:15:83: 00:1f:81:00: 00:1b:10:00:2a:ec 00:30:91:10:00:26",
    "00:25:00:5a:c3:d0",
    "00:19:86:00:2b:48",  # Bluetooth adapters
    "00:26:37:bd:39:42 00:30:70:00:00:01 54:55:43:44:52: 54:ef:14:71:e4:0e",
    "54:ba:c6:ff:74:10 00:f1:d0:00:f1:d0 00:ad:e1:ac:1c:1a",  # PdaNet, AEP, Check Point
    "00:0b:ca:fe:00:0",  # Juniper Network Connect
    "02:50:41:00:00:",  # Palo Alto GlobalProtect
    "02:00:4c:4f:4f:50",  # Microsoft's loopback adapter
    "02:00:54:55:4e:",  # tunnels
    "02:00:4e:43:50:49",  # NCP client
    "02:80:37:ec:02:00",  # Ericsson modules
    "00:1e:10:1f:00:0 0c:5b:8f:27:9a:64 58:2c:80:13:92:63",  # Huawei modems, every one
    "00:a0:d5:",  # Sierra Wireless modems
    "00:a0:c6:00:00:",  # Qualcomm modems, every one
    "80:00:60:0f:e8:00",  # Windows Mobile
    "ba:d0:be:ef:fa:ce",  # GlobeTrotter
    "44:45:53:54: 00:53:45:00:00:00",  # Microsoft's dial-up and Nortel: "DEST", "SE"
    "20:41:53:59:4e:ff",  # RAS Async: " ASYN"
    "33:50:6f:45:30:30 50:50:54:50:30:30",  # "3PoE00" and "PPTP00"
    "00:00:5e: 00:00:0c:07:ac: 00:00:0c:9f:f 00:07:b4:",  # VRRP, HSRP, GLBP
    "88:88:88:88:87:88",  # Realtek without its memory
    "00:90:4c:",  # Broadcom without its memory: Epigram's range, on no product
    "00:03:7f:11:22:33 00:03:7f:00:00:",  # Atheros without its memory
    "00:0a:35:00:1e:53 00:04:4b:01:02:03",  # Xilinx and NVIDIA boards, as their guides say
    "00:0a:35:00:01:2",  # Xilinx boards, as their loader says
    "00:15:18:01:81:3 00:00:23:34:45:66",  # Amlogic's and HiSilicon's boxes
    "f0:ad:4e:03:64:7f 00:51:82:11:22:0",  # boards with Marvell's Armada
    "00:50:c2:1e:af:f",  # boards with chips of Samsung and Atmel
    "00:13:74:00:5c:38",  # Attansic without its memory
    "00:80:82:00:00:01 08:00:58:00:00:01 00:04:19:00:00:01 88:f4:88:00:00:01",  # number 1
    "00:11:7f:13:36:36 58:02:03:04:05:06 00:98:76:54:32:10",
    "08:00:28:12:03:58 00:08:22:ba:b3:fb 00:da:36:16:de:eb 00:81:3c:75:32:e1",
    "38:16:d1:85:d0:a0 38:aa:3c:08:ea:55 10:a5:f1:83:c0:a0 90:67:1c:e6:4d:55",  # phones
    "00:11:f5:0d:8a:e8 00:20:07:01:16:06 90:4c:e5:0b:c8:8e 00:1c:23:38:49:a4",
    "00:12:3f:82:7c:32 00:11:11:32:c3:77 00:24:d6:ae:3e:39 00:0f:b0:3a:b4:80",
    "08:10:74:a1:da:1b 00:21:9b:2a:0a:9c",  # single ones that were met on many
    "00:06:13:19:58:00 80:00:04:04:fe:80 00:e0:09:00:00:0",
    "00:0f:e2:07:f2:e0 00:24:81:02:32:94 00:10:a1:00:10:01 10:04:ff:ff:54:10",
    "00:09:3b:f0:1a:40",  # the same, by inventories
    "ac:de:48:00:11:22",  # Apple's own line to its T2, on every one
    "00:11:22:33:44: 00:de:fa:ce:d0:0d",
    "00:0c:43:30:52:77 00:1a:7d:da:71:13",  # Ralink's default, copies of CSR's dongles
    "00:1c:42:00:00:0",  # Parallels' own networks on its host
    "00:00:ff:ff:ff:ff fe:ff:ff:ff:ff:ff",
    "00:de:ad:be:ef: 00:c0:ff:ee:",
    "00:00:00:",
)
"""Addresses that are on many machines, and beginnings of such."""

_SHARED = pattern(
    "|".join(
        (
            r"00:05:9a:3c:7[0-9a-f]:00",  # Cisco AnyConnect and its forerunner
            r"00:09:0f:(?:fe|aa):00:0.",  # Fortinet SSL VPN
            r"..:..:20:52:41:53",  # WAN miniports: " RAS"
            r"00:0c:43:2[68]:[68]0:00",  # Ralink without its memory
            r"..:..:80:80:80:..|..:..:..:80:80:80",  # boards with nForce
            r"..:..:..:26:0a:5b",  # boards with chips of Samsung and Atmel
            r"08:00:27:00:01:9[0-9]",
            r"00:0a:fa:02:0.:00",
            r"..:..:..:(?:11:22:33|12:34:5[67])|..:..:11:22:33:44",  # a range and an example
            r"00:1a:7d:da:71:1[0-9]",  # Bluetooth adapters of CSR, every one
            r"(?:52:54:00|00:16:3e|08:00:27|00:0c:29):12:34:..",  # QEMU's default
            r".*:(?:00:00|ff:ff:f[ef])",  # a maker's range without a number
            r".*:de:ad:be:ef|.*:c0:ff:ee|.*:ca:fe:ba:be",
        )
    )
)
"""The same, where more than the beginning tells."""


def _among(mac: str, table: tuple[str, ...]) -> bool:
    return mac.startswith(tuple(start for line in table for start in line.split()))


def refused(mac: str) -> str:
    """Why an address is no fact, or "" where it is one.

    Args:
        mac: in lower case with colons.
    Returns:
        "malformed", "multicast", "placeholder", "adapter" (USB or dock) or "generated".
    """
    if grammar.MAC_ADDRESS.fullmatch(mac) is None:
        return "malformed"
    raw = bytes.fromhex(mac.replace(":", ""))
    if _among(mac, _SHARED_BEGINNINGS) or _SHARED.fullmatch(mac) or fills_bytes(raw):
        return "placeholder"
    if raw[0] & 1:
        return "multicast"
    if _among(mac, OF_ADAPTERS):
        return "adapter"
    if raw[0] & 2 and not virtual_card(mac):
        return "generated"
    return ""


def virtual_card(mac: str) -> bool:
    """Whether an address is one that hypervisors give."""
    return _among(mac, GIVEN_BY_HYPERVISORS)


def lasts(mac: str) -> bool:
    """Whether a usable address may bind a licence for ever: a card of metal carries it."""
    return not virtual_card(mac)
