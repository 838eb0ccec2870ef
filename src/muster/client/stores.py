"""What wishes and questions work with, and which store and product they concern."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from muster.client import store as store_files
from muster.client.discovery import DNS_SECONDS
from muster.client.driver import Network
from muster.client.messages import Plan
from muster.client.model import Memory, ProductRecord
from muster.client.store import Disk, Loaded, Store
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.clock import Clock, Dice
from muster.core.errors import MusterError
from muster.core.facts import clean_facts
from muster.core.identity import Fact
from muster.core.values import dataclass
from muster.lease.descriptor import Descriptor, read_descriptor
from muster.wire.activation import ClientInfo


@dataclass(frozen=True, slots=True)
class Parts:
    """One machine, as each wish and each question gets it.

    Attributes:
        root: the root of stores.
        disk: where stores are.
        network: DNS and HTTP.
        clock: the machine's clock.
        dice: the machine's dice.
        read_facts: reads the machine's facts; raises `facts/…` or `file/…`.
        plan: what settings say for a publisher.
        info: what the client says of itself in requests.
        boot: the id of the present boot, "" where unknown.
        uptime: seconds since the machine started, None where unknown.
    """

    root: Path
    disk: Disk
    network: Network
    clock: Clock
    dice: Dice
    read_facts: Callable[[], Mapping[str, str]]
    plan: Callable[[str], Plan]
    info: ClientInfo
    boot: str = ""
    uptime: Callable[[], int | None] = lambda: None

    def store(self, publisher: str) -> Store:
        return Store(self.root, publisher, self.disk)

    def descriptors(self, product: str | None) -> list[tuple[Store, Descriptor]]:
        """Stores and descriptors of a product, or of all; a product id may hold its publisher."""
        publisher, mark, name = (product or "").rpartition("/")
        if product is not None and not mark:
            publisher, name = "", product
        pairs: list[tuple[Store, Descriptor]] = []
        for publisher_id in store_files.publishers(self.root, self.disk):
            if publisher and publisher_id != publisher:
                continue
            store = self.store(publisher_id)
            for product_id in store.products():
                if product is None or product_id == name:
                    descriptor = read_descriptor(store.anchor(product_id))
                    if descriptor.publisher != publisher_id or descriptor.product.id != product_id:
                        detail = "it is the descriptor of another product"
                        raise error(
                            "client/store-damaged",
                            where=str(store.folder / "anchors" / f"{product_id}.json"),
                            detail=detail,
                        )
                    pairs.append((store, descriptor))
        if product is not None and not pairs:
            raise error("client/not-added", product=ascii(product)[1:-1][:96])
        return pairs

    def one(self, product: str | None) -> tuple[Store, Descriptor]:
        pairs = self.descriptors(product)
        if not pairs:
            raise self.no_product()
        if len(pairs) > 1:
            listed = ", ".join(
                f"{descriptor.publisher}/{descriptor.product.id}"
                if product
                else descriptor.product.id
                for _, descriptor in pairs
            )
            raise error("client/which-product", products=listed)
        return pairs[0]

    def one_publisher(self, publisher: str) -> tuple[Store, list[Descriptor]]:
        pairs = [pair for pair in self.descriptors(None) if publisher in ("", pair[1].publisher)]
        if not pairs:
            raise self.no_product()
        known = {store.publisher: store for store, _ in pairs}
        if len(known) > 1:
            raise error("client/which-publisher", publishers=", ".join(sorted(known)))
        return pairs[0][0], [descriptor for _, descriptor in pairs]

    def no_product(self) -> MusterError:
        return error("client/no-product", store=str(self.root))

    def facts(self) -> tuple[Fact, ...]:
        return clean_facts(self.read_facts())

    def late(self) -> Callable[[], bool]:
        """Whether DNS has had its time, counted from now."""
        end = self.clock.monotonic() + DNS_SECONDS
        return lambda: self.clock.monotonic() >= end

    def noted(self, memory: Memory, event: Audit, product: str = "", detail: str = "") -> Memory:
        return memory.noted(self.clock.now(), event, product, detail)


def load_present(store: Store) -> Loaded:
    loaded = store.load()
    if loaded is None:
        where = str(store.folder / "state.json")
        raise error("client/store-damaged", where=where, detail="it is missing")
    return loaded


def record_of(memory: Memory, descriptor: Descriptor) -> ProductRecord:
    record = memory.product(descriptor.product.id)
    if record is None:
        raise error("client/not-added", product=descriptor.product.id)
    return record
