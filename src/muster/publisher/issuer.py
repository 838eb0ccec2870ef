"""Makes product keys: draws serials, computes tags and proof keys. Refuses to know the store."""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.ids import proof_key
from muster.core.keys import SERIALS, KeyId, Kind, ProductKey, make_product_key
from muster.core.products import KeyGroup, Product
from muster.core.values import dataclass
from muster.publisher.model import IssuedKey


@dataclass(frozen=True, slots=True)
class NewKey:
    """A product key that was just issued, and the one time that it is shown in full."""

    issued: IssuedKey
    key: ProductKey


class Issuer:
    """Makes product keys: draws serials, computes tags and proof keys."""

    def __init__(self, prefix: int, publisher: str, tag_key: bytes, dice: Dice, now: int) -> None:
        self._prefix = prefix
        self._publisher = publisher
        self._tag_key = tag_key
        self._dice = dice
        self._now = now

    def issue(
        self,
        kind: Kind,
        group: KeyGroup,
        taken: set[int],
        *,
        term: int = 0,
        customer: str = "",
        product: str | None = None,
    ) -> NewKey:
        """A new key whose serial is not among `taken`. Raises: `publisher/serials`."""
        if len(taken) >= SERIALS // 2:
            raise error("publisher/serials", group=group.id, count=1)
        serial = self._dice.below(SERIALS)
        while serial in taken:
            serial = self._dice.below(SERIALS)
        key = make_product_key(self._tag_key, kind, self._prefix, group.number, serial)
        issued = IssuedKey(
            key_id=key.key_id,
            group=group.id,
            masked=key.masked,
            proof_key=proof_key(self._publisher, key.key_id, key.tag_bytes),
            issued_at=self._now,
            term=term,
            customer=customer,
            product=product,
        )
        return NewKey(issued, key)

    def issue_setup(
        self, wanted: Sequence[tuple[Product, KeyGroup]], taken: dict[int, set[int]]
    ) -> list[NewKey]:
        """One setup key for each product; `taken` serials by group number grow with it."""
        keys: list[NewKey] = []
        for product, group in wanted:
            serials = taken.setdefault(group.number, set())
            keys.append(self.issue(Kind.SETUP, group, serials, product=product.id))
            serials.add(keys[-1].key.serial)
        return keys

    def again(self, key_id: KeyId) -> ProductKey:
        """A key that was issued before, made again out of its serial."""
        return make_product_key(
            self._tag_key, key_id.kind, self._prefix, key_id.group, key_id.serial
        )
