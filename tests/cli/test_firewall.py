"""What is printed of rules: all firewalls with a word before, or one alone for a pipe."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from muster.cli.firewall import show_rules, tool_option
from muster.net.firewall import firewall_rules


@click.command()
@tool_option
def shown(tool: str | None) -> None:
    show_rules(firewall_rules("muster-host", 16880, "192.0.2.7", ("10.0.0.0/8",)), tool)


def test_every_firewall_has_its_lines() -> None:
    lines = CliRunner().invoke(shown).stdout.splitlines()
    assert lines[0].startswith("It listens on 192.0.2.7 port 16880, when it runs.")
    assert "machines of 10.0.0.0/8" in lines[0]
    assert [line.split()[1] for line in lines if line.startswith("# ")] == [
        *("nftables", "ufw", "firewalld"),
    ]


@pytest.mark.parametrize(("tool", "word"), [("nft", "nft"), ("firewalld", "firewall-cmd")])
def test_one_alone_is_for_a_pipe(tool: str, word: str) -> None:
    lines = CliRunner().invoke(shown, ["--tool", tool]).stdout.splitlines()
    assert {line.split()[0] for line in lines} == {word}
