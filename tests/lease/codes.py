"""What tests of signed objects ask of a call."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from muster.core.errors import MusterError

INJECTIONS = ['"', "{", "}", "}}", "{count}", "\\", "\n", "a/b", "%s", "é", "\x00", "😀"]


def code_of(call: Callable[..., object], *args: object) -> str:
    """The code that the call raises."""
    with pytest.raises(MusterError) as caught:
        call(*args)
    return caught.value.code
