"""What a host says of itself round trips."""

from __future__ import annotations

from muster.lease.jws import MemorySigningKey
from muster.wire import status


def test_status_round_trip() -> None:
    served = (status.ServedPublisher("a" * 16, "contoso", 3, 4, ("desktop", "server")),)
    assert status.decode_publishers(status.encode_publishers(served), "peer") == served
    signer = MemorySigningKey(bytes(range(32))).public
    grants = (status.HostGrant("a.b.c", signer),)
    assert status.decode_grants(status.encode_grants(grants), "peer") == grants
