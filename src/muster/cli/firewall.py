"""`muster host firewall` and `muster publisher firewall`: lines that open the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muster.cli.options import Command
from muster.cli.output import emit

if TYPE_CHECKING:
    from muster.net.firewall import FirewallRules

_TITLES = {
    "nft": "nftables (add them to /etc/nftables.conf as well, to keep them)",
    "ufw": "ufw",
    "firewalld": "firewalld",
}


def tool_option(command: Command) -> Command:
    """`--tool`, which prints the lines of one firewall alone."""
    return click.option(
        "--tool", type=click.Choice(tuple(_TITLES)), help="Only the lines for this one, for a pipe."
    )(command)


def show_rules(rules: FirewallRules, tool: str | None) -> None:
    """Print the rules; with a tool its lines alone."""
    lines_of = {"nft": rules.nft, "ufw": rules.ufw, "firewalld": rules.firewalld}
    if tool is not None:
        emit(rules, lines_of[tool])
        return
    emit(rules, [_about(rules), *_all(lines_of)])


def _about(rules: FirewallRules) -> str:
    state = "" if rules.running else ", when it runs"
    what = f"It listens on {rules.address} port {rules.port}{state}."
    if rules.local:
        return f"{what} Only programs of this machine reach that: no rule is needed."
    who = f"machines of {', '.join(rules.networks)}" if rules.networks else "all machines"
    return f"{what} Run the lines of your firewall as root to let {who} through:"


def _all(lines_of: dict[str, tuple[str, ...]]) -> list[str]:
    return [line for tool, lines in lines_of.items() for line in ("", f"# {_TITLES[tool]}", *lines)]
