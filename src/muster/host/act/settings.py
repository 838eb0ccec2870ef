"""Set a setting of a host, or go back to its default; a running host follows.

Decides what is stored of a value. Refuses to know which settings there are
(`muster.core.settings`).
"""

from __future__ import annotations

from muster.core import settings as table
from muster.core.audit import Event
from muster.core.settings import Role, Value
from muster.host.open import OpenHost
from muster.host.publish import check_name
from muster.host.results import SettingChange
from muster.host.tables import audit, host_settings, own


def set_setting(host: OpenHost, name: str, text: str) -> SettingChange:
    """Set a setting to what was typed. Raises: `settings/unknown`, `settings/value`, and those of
    the setting's type; `host/dns-target`."""
    setting = table.lookup(Role.HOST, name)
    value = table.parse(setting, text)
    if setting.name == "dns_target" and value:
        check_name(str(value))
    return _store(host, setting, value, table.value_text(value))


def unset(host: OpenHost, name: str) -> SettingChange:
    """Go back to the default of a setting. Raises: `settings/unknown`."""
    setting = table.lookup(Role.HOST, name)
    return _store(host, setting, setting.default, None)


def _store(
    host: OpenHost, setting: table.Setting, value: Value, stored: str | None
) -> SettingChange:
    with host.database.transaction() as tx:
        changed = host_settings.rows(tx).get(setting.name) != stored
        if changed:
            if stored is None:
                host_settings.clear(tx, setting.name)
            else:
                host_settings.put(tx, setting.name, stored)
            detail = "default" if stored is None else stored
            now = host.clock.now()
            audit.write(tx, now, host.actor, Event.HOST_SETTING_CHANGE, "", setting.name, detail)
            own.touch(tx)
    return SettingChange(
        changed=changed,
        name=setting.name,
        value=value,
        warning=table.warning(setting, value),
        overridden=setting.name in host.overrides,
    )
