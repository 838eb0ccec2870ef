"""Settings of a host by an act: stored once, audited once, warned of, and hidden by others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.host.conftest import World

from muster.core.errors import MusterError
from muster.host import look
from muster.host.act import settings
from muster.host.results import SettingChange


def changes(world: World) -> list[tuple[str, str]]:
    """Subject and detail of what the audit has of settings."""
    rows = look.audit(world.opened, 100).audit
    return [(row.subject, row.detail) for row in rows if row.event == "host:setting:change"]


def test_a_second_time_changes_nothing_and_is_not_audited(world: World) -> None:
    done = settings.set_setting(world.opened, "dns_domains", "a.test,b.test")
    assert done == SettingChange(True, "dns_domains", ("a.test", "b.test"), None, overridden=False)
    assert not settings.set_setting(world.opened, "dns_domains", "a.test,b.test").changed
    assert settings.unset(world.opened, "dns_domains").changed
    again = settings.unset(world.opened, "dns_domains")
    assert (again.changed, again.value) == (False, ())
    assert changes(world) == [("dns_domains", "a.test,b.test"), ("dns_domains", "default")]


def test_a_running_host_follows(host: World) -> None:
    before = host.service.view().settings
    settings.set_setting(host.opened, "renewal_interval", "900")
    assert (before.renew_after, host.service.view().settings.renew_after) == (None, 900)


def test_a_value_that_the_environment_hides_is_kept_and_told(world: World) -> None:
    opened = replace(world.opened, overrides={"port": 1800})
    assert settings.set_setting(opened, "port", "1700").overridden
    assert look.setting(opened, "port").value == 1800
    assert look.setting(world.opened, "port").value == 1700


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("nonsense", "1", "settings/unknown"),
        ("port", "x", "settings/value"),
        *(
            ("dns_target", name, "host/dns-target")
            for name in ("localhost", "KMS.localhost.", "host7.localdomain", "ip6-loopback")
        ),
        *(
            ("dns_target", name, "host/dns-target")
            for name in ("127.0.0.1", "192.0.2.7", "0.0.0.0", "kms1", "kms1.")
        ),
        ("dns_target", "::1", "settings/value"),
    ],
)
def test_what_is_wrong_is_not_stored(world: World, name: str, text: str, code: str) -> None:
    with pytest.raises(MusterError, match=code):
        settings.set_setting(world.opened, name, text)
    assert changes(world) == []
