"""What is kept of an inventory's lines, within bounds."""

from __future__ import annotations

import pytest

from muster.core.errors import MusterError
from muster.manager.listing import GROUPS, SKIPPED, Collector, typed
from muster.manager.model import Listed


def test_what_is_skipped_is_told_as_strangers_words_within_bounds() -> None:
    collector = Collector("hosts.csv")
    for line in range(SKIPPED + 5):
        collector.take("\x1b[31m" + "x" * 500 + " y", line=line)
    skipped = collector.inventory().skipped
    assert len(skipped) == SKIPPED
    assert all(len(item.text) <= 80 and "\x1b" not in item.text for item in skipped)


def test_a_machine_is_in_so_many_groups() -> None:
    collector = Collector("hosts.csv")
    for number in range(GROUPS + 5):
        collector.take("pc1", groups=(f"g{number}",))
    (machine,) = collector.inventory().machines
    assert len(machine.groups) == GROUPS


def test_a_second_line_adds_what_the_first_does_not_say() -> None:
    collector = Collector("hosts.csv")
    collector.take("pc1", address="10.0.0.1", groups=("a",))
    collector.take("pc1", address="10.0.0.2", port="2222", account="ops", groups=("b",))
    (machine,) = collector.inventory().machines
    assert (machine.address, machine.port, machine.account) == ("10.0.0.1", 2222, "ops")


def test_what_is_typed_is_judged_as_a_line_is() -> None:
    machine = typed("PC-1.", address="10.0.0.1", port=2222, account="ops")
    assert machine == Listed("pc-1", "10.0.0.1", 2222, "ops")
    for name, port, account in (("two words", 0, ""), ("pc", 0, "-o"), ("pc", 70_000, "")):
        with pytest.raises(MusterError) as refused:
            typed(name, port=port, account=account)
        assert refused.value.code == "manager/machine"
