"""What slmgr prints for programs: records of the client and of the host, with its fields added."""

from __future__ import annotations

from collections.abc import Mapping

from muster.client.results import ProductStatus
from muster.core.records import Instant
from muster.core.values import dataclass
from muster.host.results import HostStatus


@dataclass(frozen=True, slots=True)
class ShownProduct(ProductStatus):
    """A product with the `fields` of `/dli` or `/dlv` by name."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ShownProducts:
    """The products that were shown."""

    products: tuple[ShownProduct, ...]


@dataclass(frozen=True, slots=True)
class Expiry(ProductStatus):
    """A product and the `text` of `/xpr`."""

    text: str


@dataclass(frozen=True, slots=True)
class Expiries:
    """Until when products are licensed."""

    products: tuple[Expiry, ...]


@dataclass(frozen=True, slots=True)
class NothingCleared:
    """Products whose key `/cpky` would clear: the store holds none."""

    changed: bool
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActivationType:
    """The answer to `/act-type`: `type` as it was typed, 0 for all; the installed key decides."""

    type: int
    changed: bool


@dataclass(frozen=True, slots=True)
class HostExpiry:
    """A host key and the `text` of `/xpr`; `expires_at` None without an end or without a grant."""

    publisher: str
    key: str
    partial: str
    licensed: bool
    expires_at: Instant | None
    text: str


@dataclass(frozen=True, slots=True)
class HostExpiries:
    """Until when a host may license others, by its keys."""

    keys: tuple[HostExpiry, ...]


@dataclass(frozen=True, slots=True)
class NoKeyRemoved:
    """`/upk` on a host without a host key."""

    changed: bool


@dataclass(frozen=True, slots=True)
class ShownHost(HostStatus):
    """A host with the `fields` of each of its keys by name."""

    fields: tuple[Mapping[str, str], ...]
