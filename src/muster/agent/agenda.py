"""What an agent tries next, and when. Pure: plans and dice come in, instants go out.

Decides which instant of which product comes next; every span is the client's own
(`muster.client.schedule`). Refuses to know processes and clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from muster.client import schedule
from muster.core.clock import Dice
from muster.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """What a look said of a product: `name` is `publisher/product`.

    `next_try` is the instant of its next try, None where nobody would be asked; `due`: by the
    clock of the look it is time; `licensed`: a licence runs.
    """

    name: str
    next_try: int | None
    due: bool
    licensed: bool


def planned(outcome: Mapping[str, Any]) -> list[Planned]:
    """What a task said of its products: the members that `muster.agent.tasks` tells the keeper."""
    return [
        Planned(
            f"{product['publisher']}/{product['product']}",
            product["next_attempt"],
            product["due"],
            product["licensed"],
        )
        for product in outcome["products"]
    ]


class Agenda:
    """The instants at which products are tried.

    Args:
        dice: spread what is due already.
        booted: the machine has just started.
    """

    def __init__(self, dice: Dice, *, booted: bool) -> None:
        self._dice = dice
        self._booted = booted
        self._instants: dict[str, int] = {}
        self._waiting: set[str] = set()

    @property
    def next_instant(self) -> int | None:
        """The earliest instant, None where nothing is to be tried."""
        return min(self._instants.values(), default=None)

    def instants(self) -> dict[str, int]:
        """Every product that will be tried, and when."""
        return dict(self._instants)

    def due(self, now: int) -> list[str]:
        """The products whose instant has come."""
        return sorted(name for name, instant in self._instants.items() if instant <= now)

    def planned(self, products: Iterable[Planned], now: int) -> None:
        """Take what a look said of all products.

        What is due already waits for its throw of dice, once: a second look does not throw again.
        """
        instants, waiting = {}, set()
        for product in products:
            if product.next_try is None:
                continue
            if not product.due:
                instants[product.name] = max(product.next_try, now)
                continue
            waiting.add(product.name)
            held = self._instants.get(product.name)
            if product.name not in self._waiting or held is None:
                held = schedule.first_try(
                    now, booted=self._booted, licensed=product.licensed, dice=self._dice
                )
            instants[product.name] = held
        self._instants, self._waiting = instants, waiting
        self._booted = False

    def tried(self, names: Iterable[str], products: Iterable[Planned], now: int) -> None:
        """Take what a look said after some products were tried.

        One that is due all the same is left alone for the shortest wait of the schedule: whatever
        is wrong with it, it must not keep the machine busy.
        """
        later = now + schedule.SHORTEST
        tried = set(names)
        products = list(products)
        self._waiting -= tried
        for name in tried:
            self._instants.pop(name, None)
        self.planned(products, now)
        for product in products:
            if product.name in tried and product.due and product.next_try is not None:
                self._instants[product.name] = later
