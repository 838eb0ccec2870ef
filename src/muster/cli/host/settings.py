"""`muster host set`: look at the settings of a host, and change them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import completion, compose
from muster.cli.host.options import BY_PRODUCT, INTERVALS
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit

if TYPE_CHECKING:
    from muster.core.settings import Value
    from muster.host.results import SettingChange


@click.command("set", cls=MusterCommand)
@store_option
@click.argument("name", required=False, shell_complete=completion.settings_of("host"))
@click.argument("value", required=False, shell_complete=completion.values_of("host"))
@click.option("--unset", is_flag=True, help="Go back to the default.")
def set_(store: Path | None, name: str | None, value: str | None, unset: bool) -> None:
    """Show the settings, or change one; a running host applies it within seconds.

    Port and addresses take effect at the next start. Periods are whole seconds; lists have commas.
    """
    from muster.host import look
    from muster.host.act import settings as act

    with compose.open_host(store) as opened:
        if name is None:
            listing = look.settings(opened)
            rows = listing.settings.items()
            emit(listing, [_setting_line(line, row.value, row.set) for line, row in rows])
        elif value is None and not unset:
            setting = look.setting(opened, name)
            emit(setting, [_setting_line(setting.name, setting.value, setting.set)])
        else:
            change = (
                act.unset(opened, name) if unset else act.set_setting(opened, name, value or "")
            )
            emit(change, setting_change_lines(change, given=not unset))


def _setting_line(name: str, value: Value, given: bool) -> str:
    from muster.core.settings import value_text

    if given:
        return f"{name} = {value_text(value)}"
    if name in INTERVALS:
        return f"{name} is not set: {BY_PRODUCT}"
    return (
        f"{name} = {value_text(value)} (default)" if value not in ("", ()) else f"{name} is not set"
    )


def setting_change_lines(change: SettingChange, *, given: bool) -> list[str]:
    """What is said of a setting that was set (`given`), or that went back to its default."""
    from muster.core.settings import lookup

    shown = _setting_line(change.name, change.value, given)
    lines = [shown if change.changed else f"{shown}; nothing was changed."]
    if change.warning is not None:
        lines.append(f"Warning: {change.warning}")
    if change.overridden:
        env = lookup("host", change.name).env
        lines.append(f"Note that {env} in the environment overrides it.")
    return lines
