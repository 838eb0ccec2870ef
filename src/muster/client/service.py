"""What a program can do on a machine, composed from acts and questions.

What each method does, takes and raises is at the function that it calls, in
`muster.client.act` and `muster.client.look`; of products it returns what they were judged by
(`muster.client.findings`). Commands call those functions themselves. Obeys docs/client.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from muster.client import look
from muster.client.act import identity as identities
from muster.client.act import keys, leases, offline, products
from muster.client.act import release as releases
from muster.client.findings import Activation, Discovery, Status
from muster.client.results import (
    ClockReset,
    History,
    IdentityChange,
    Imported,
    KeyChange,
    NotLasting,
    OfflineRequest,
    ProductAdded,
    ProductRemoved,
    Released,
)
from muster.client.stores import Parts
from muster.health.report import Report


class Client:
    """One machine.

    Args:
        parts: what wishes and questions work with.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @property
    def root(self) -> Path:
        """The root of stores."""
        return self.parts.root

    def add_product(
        self,
        data: bytes,
        *,
        identity: str | None = None,
        given: str = "",
        with_key: bool = True,
    ) -> ProductAdded:
        """Set a product up on this machine by its descriptor."""
        return products.add_product(
            self.parts, data, identity=identity, given=given, with_key=with_key
        )

    def remove_product(self, product: str | None = None) -> ProductRemoved:
        """Forget a product on this machine: its key, its licence and its descriptor."""
        return products.remove_product(self.parts, product)

    def install_key(self, text: str, product: str | None = None) -> KeyChange:
        """Install a product key in place of the one that is there."""
        return keys.install_key(self.parts, text, product)

    def uninstall_key(self, product: str | None = None) -> KeyChange:
        """Remove the product key and with it the licence: the product is unlicensed then."""
        return keys.uninstall_key(self.parts, product)

    def set_identity(self, mode: str, given: str = "", publisher: str = "") -> IdentityChange:
        """Choose how this machine identifies itself to a publisher."""
        return identities.set_identity(self.parts, mode, given, publisher)

    def activate(
        self, product: str | None = None, *, typed: bool = True, publisher_url: str = ""
    ) -> list[Activation]:
        """Ask hosts for a lease, or the publisher for an activation; for one product or for all."""
        return leases.try_products(self.parts, product, typed=typed, publisher_url=publisher_url)

    def installation_id(self, product: str | None = None) -> OfflineRequest:
        """What to read out, show or send to activate a product without a network."""
        return offline.installation_id(self.parts, product)

    def not_lasting(self, product: str | None = None) -> NotLasting:
        """Products whose next activation would be bound to this store and not to the hardware."""
        return look.not_lasting(self.parts, product)

    def confirm(self, digits: str, product: str | None = None) -> Activation:
        """Take the confirmation ID that was read back; with several keys, the one that verifies."""
        return offline.apply_confirmation(self.parts, digits, product)

    def accept_reply(self, data: bytes, product: str | None = None) -> Activation:
        """Take a reply file, or the short form of it out of a QR code."""
        return offline.apply_reply(self.parts, data, product)

    def import_publisher_file(self, data: bytes) -> Imported:
        """Take trust and catalogue out of a publisher file: news for machines without a network."""
        return offline.import_publisher_file(self.parts, data)

    def wait(
        self,
        product: str | None,
        seconds: int,
        sleep: Callable[[float], None],
        poll: float = 1.0,
    ) -> Status:
        """Wait until a product is licensed, asking hosts whenever a try is due."""
        return leases.wait_for(self.parts, product, seconds, sleep, poll)

    def release(self, product: str | None = None) -> Released:
        """Give the lease of a product back to the host that gave it."""
        return releases.release(self.parts, product)

    def statuses(self, product: str | None = None) -> tuple[Status, ...]:
        """What is known of one product, or of all."""
        return look.statuses(self.parts, product)

    def status(self, product: str | None = None) -> Status:
        """What is known of one product; it must be named where there are several."""
        return look.status(self.parts, product)

    def discover(self, publisher: str = "", *, probe: bool = True) -> Discovery:
        """Show how hosts are found, and ask each what it serves."""
        return look.discover(self.parts, publisher, probe=probe)

    def doctor(self) -> tuple[Report, ...]:
        """Look why this machine is or is not licensed: one report for each publisher."""
        return look.reports(self.parts)

    def reset_clock_mark(self, publisher: str = "") -> ClockReset:
        """Forget that the clock was ever ahead; logged. All publishers where none is named."""
        return identities.reset_clock_mark(self.parts, publisher)

    def history(self, publisher: str = "") -> History:
        """What was changed on this machine, oldest first."""
        return look.history(self.parts, publisher)
