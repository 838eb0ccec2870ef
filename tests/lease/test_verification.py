"""The good case of every object, end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muster.lease.verify import (
    explain,
    open_licence,
    verify_activation,
    verify_lease,
    verify_notice,
)

if TYPE_CHECKING:
    from tests.lease.conftest import Maker


def test_good(maker: Maker) -> None:
    licence = verify_lease(maker.bundle(), maker.expected(fresh=True))
    assert licence.count == 25
    assert verify_lease(licence.text.encode(), maker.expected()) == licence
    assert verify_activation(maker.activation(), maker.expected()).kind == "mak"
    assert verify_notice(maker.notice(), maker.expected()).code == "host/duplicate-cmid"
    assert open_licence(maker.bundle(), maker.trust, maker.publisher).lease.count == 25
    for data in (maker.bundle(), maker.activation(), maker.notice()):
        assert {result.outcome for result in explain(data, maker.expected())} == {"passed"}
