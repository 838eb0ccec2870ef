"""Signed objects as trees that a test may spoil before it signs them anew."""

from __future__ import annotations

import copy
from typing import Any

from muster.lease.strict import JSONObject


def tree(value: JSONObject) -> dict[str, Any]:
    """A copy of an object, all of whose members may be changed."""
    spoilt = copy.deepcopy(value)
    assert isinstance(spoilt, dict)
    return spoilt
