"""Machines that draw on a pool of a publisher."""

from __future__ import annotations

from tests.publisher.conftest import Machine, Shop

from muster.core.errors import MusterError
from muster.core.keys import Kind, ProductKey
from muster.publisher.pools import Activated, MachineActivation
from muster.publisher.service import PublisherService

GROUP = "client-volume"


def issue(
    shop: Shop, pool: int | None = 10, kind: Kind = Kind.MAK, term: int = 0, group: str = GROUP
) -> ProductKey:
    return shop.admin().issue_pool_keys(kind, group, pool, term=term)[0].key


def ask(service: PublisherService, *machines: Machine) -> Activated:
    return service.activate_batch([one.digits() for one in machines])


def codes(found: Activated) -> list[str]:
    """One word a row: drawn, again, or the code of the error."""
    return [
        one.code if isinstance(one, MusterError) else "drawn" if one.drawn else "again"
        for one in found.rows
    ]


def left(shop: Shop, key: ProductKey) -> int:
    return shop.admin().find_key(key.text).left


def good(found: Activated) -> list[MachineActivation]:
    return [one for one in found.rows if isinstance(one, MachineActivation)]
