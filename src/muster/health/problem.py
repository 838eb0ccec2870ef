"""What is wrong with a running server: the same record in log, status, doctor and readiness."""

from __future__ import annotations

from muster.core.records import Instant
from muster.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a running server since an instant, and what to do.

    `area` is the part of it: `database`, `dns`, `grants`, `news`, `signing`, `store`.
    """

    area: str
    code: str
    what: str
    fix: str
    since: Instant
