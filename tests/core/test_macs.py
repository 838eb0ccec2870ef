"""Which network addresses are facts, which last, and why others are none (1.6.1)."""

from __future__ import annotations

import pytest

from muster.core import macs


@pytest.mark.parametrize(
    ("mac", "why"),
    [
        ("f8:b4:6a:10:7e:d3", ""),
        ("F8:B4:6A:10:7E:D3", "malformed"),
        ("f8-b4-6a-10-7e-d3", "malformed"),
        ("f8:b4:6a:10:7e", "malformed"),
        ("f8:b4:6a:10:7e:d3:01", "malformed"),
        ("", "malformed"),
        ("01:b4:6a:10:7e:d3", "multicast"),
        ("03:b4:6a:10:7e:d3", "multicast"),
        ("02:42:ac:11:00:02", "placeholder"),  # by its beginning
        ("00:05:9a:3c:7a:00", "placeholder"),  # by a pattern
        ("f8:b4:6a:00:00:00", "placeholder"),
        ("11:11:11:11:11:11", "placeholder"),  # before it is multicast
        ("00:e0:4c:68:01:9b", "adapter"),
        ("fa:b4:6a:10:7e:d3", "generated"),
        ("52:54:00:6a:10:7e", ""),
        ("fa:16:3e:6a:10:7e", ""),
    ],
)
def test_whether_an_address_is_a_fact(mac: str, why: str) -> None:
    assert macs.refused(mac) == why


@pytest.mark.parametrize(
    ("mac", "metal"),
    [
        ("f8:b4:6a:10:7e:d3", True),
        ("00:0c:29:6a:10:7e", False),
        ("52:54:00:6a:10:7e", False),
        ("52:54:01:6a:10:7e", True),
    ],
)
def test_a_card_of_a_hypervisor_does_not_last(mac: str, metal: bool) -> None:
    assert macs.lasts(mac) is metal
    assert macs.virtual_card(mac) is not metal
