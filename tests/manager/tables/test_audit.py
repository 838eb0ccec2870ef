"""The audit of a manager, on both databases."""

from __future__ import annotations

import pytest
from tests.manager.conftest import NOW

from muster.core.audit import Actor, Event
from muster.manager.model import AuditRow
from muster.manager.open import OpenManager
from muster.manager.tables import audit


def test_who_did_what_newest_first(manager: OpenManager) -> None:
    with manager.database.transaction() as tx:
        audit.write(tx, NOW, "user:ann", Event.MACHINES_TAG, "pilot", "1 machines: *")
        audit.write(
            tx, NOW + 1, Actor("user:root", {"sudo": "ann"}), Event.MACHINES_REMOVE, "*", "all"
        )
    with manager.snapshot() as reader:
        rows = audit.rows(reader, 10)
        assert audit.rows(reader, 1) == rows[:1]
    assert rows == [
        AuditRow(NOW + 1, "manager:machine:remove", "*", "all", "user:root", "ann"),
        AuditRow(NOW, "manager:machine:tag", "pilot", "1 machines: *", "user:ann", ""),
    ]


def test_the_oldest_rows_are_dropped(manager: OpenManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "AUDIT_ROWS", 3)
    with manager.database.transaction() as tx:
        for number in range(5):
            audit.write(tx, NOW + number, "user:ann", Event.MACHINES_TAG, str(number), "")
    with manager.snapshot() as reader:
        assert [row.subject for row in audit.rows(reader, 10)] == ["4", "3", "2"]
