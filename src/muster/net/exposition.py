"""What a server measures, as records: families of numbers by labels.

Decides what rooms say of a metric; `muster.net.page` writes it. Refuses to know what is measured,
and whose name comes first. Obeys docs/spec/08-http.md, section 8.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from muster.core.values import dataclass, field

Labels = tuple[str, ...]
"""Values of the labels of a family, in its order."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many events took at most so long: `buckets` are upper bounds as text, the last "+Inf",
    with the number at or below each; `total` is the sum of all, such as of seconds."""

    buckets: tuple[tuple[str, int], ...]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its numbers.

    `name` without the prefix of the server; the name of a counter ends in `_total`. `text` says
    what it is, in one line. `numbers` by the values of `labels`, a `Histogram` each where it is
    one; nothing where there is nothing to tell.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: Labels = ()
    numbers: Mapping[Labels, float | Histogram] = field(default_factory=dict)


def gauge(name: str, text: str, number: float) -> Family:
    """A gauge of one number."""
    return Family(name, "gauge", text, (), {(): number})
