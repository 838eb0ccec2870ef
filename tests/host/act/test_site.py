"""A host signs what it says to machines, and nothing that no machine would take (chapter 15)."""

from __future__ import annotations

import pytest

from muster.core.errors import MusterError
from muster.core.products import DAY, Revocation
from muster.core.values import replace
from muster.host import look
from muster.host.act import settings
from muster.host.act.site import MAX_DAYS, SiteWish, client_config
from muster.lease.grant import GrantValues, issue_grant
from muster.lease.site import SiteHost, VerifiedSite, read_site_file, verify_site
from muster.testing.tiny_host import TinyHost
from muster.testing.tiny_publisher import GROUPS, TinyPublisher
from muster.testing.world import START, World

NAME = "kms1.corp.test"
WISH = SiteWish(NAME)


def verified(host: TinyHost, wish: SiteWish = WISH) -> VerifiedSite:
    """What a machine takes of the file."""
    (part,) = read_site_file(client_config(host.opened, wish).text.encode())
    publisher = host.publisher
    return verify_site(part, publisher.line[0], publisher.catalogue, host.clock.now())


def refused(host: TinyHost, wish: SiteWish) -> str:
    with pytest.raises(MusterError) as caught:
        client_config(host.opened, wish)
    return caught.value.code


def test_a_host_names_itself_by_its_settings() -> None:
    host = World().host()
    site = verified(host).claims
    assert site.hosts == (SiteHost(NAME, 16880),)
    assert (site.iat, site.exp) == (START, START + 730 * DAY)
    assert (site.suffixes, site.authorities) == ((), ())
    for name, value in {
        "dns_target": "licences.corp.test",
        "port": "16980",
        "dns_priority": "3",
        "dns_weight": "7",
        "dns_domains": "corp.test,lab.test",
        "tls_certificate": "/etc/muster/cert.pem",
    }.items():
        settings.set_setting(host.opened, name, value)
    site = verified(host).claims
    assert site.hosts == (SiteHost("licences.corp.test", 16980, 3, 7, tls=True),)
    assert site.suffixes == ("corp.test", "lab.test")
    assert not verified(host, replace(WISH, tls=False)).claims.hosts[0].tls


def test_hosts_that_are_typed_stand_in_its_place() -> None:
    host = World().host()
    typed = ("KMS1.corp.test", "10.0.0.7:443", "[2001:db8::7]", "10.0.0.7:443")
    config = client_config(host.opened, replace(WISH, hosts=typed, days=MAX_DAYS))
    assert config.hosts == ("kms1.corp.test:16880", "10.0.0.7:443", "[2001:db8::7]:16880")
    assert config.until == START + MAX_DAYS * DAY
    assert config.publishers == ("contoso",)
    (part,) = read_site_file(config.text.encode())
    assert verify_site(part, host.publisher.trust, None, START).signer == host.key.public.kid


@pytest.mark.parametrize("name", ["localhost", "a.localhost", "fe80::1%eth0", "a" * 64])
def test_a_name_that_says_nothing_elsewhere_is_refused(name: str) -> None:
    typed = f"[{name}]" if ":" in name else name
    assert refused(World().host(), replace(WISH, hosts=(typed,))) in (
        "host/site-name",
        "settings/host",
    )


def test_what_no_file_holds_is_refused() -> None:
    host = World().host()
    assert refused(host, replace(WISH, hosts=("0.0.0.0",))) == "settings/nowhere"
    assert refused(host, SiteWish("kms1")) == "host/dns-target"
    assert refused(host, SiteWish("localhost.localdomain")) == "host/dns-target"
    many = tuple(f"h{number}.test" for number in range(17))
    assert refused(host, replace(WISH, hosts=many)) == "host/site-size"
    assert refused(host, replace(WISH, publisher="fabrikam")) == "host/unknown-publisher"


def test_who_serves_nobody_signs_nothing() -> None:
    world = World()
    host = world.host()
    world.publisher.publish(revocations=[Revocation(host.jti, None, 0)])
    host._follow()
    assert refused(host, WISH) == "host/grant-revoked"


def test_a_file_ends_with_the_grant() -> None:
    host = World().host()
    (key,) = host._keys()
    values = GrantValues(
        publisher=key.publisher,
        key_id=host.host_key.key_id,
        binding=key.binding,
        hw=key.hw,
        term=2,
        day=START // DAY - 20_454,
        group=next(group for group in GROUPS if group.id == "server"),
    )
    host.grant = issue_grant(values, host.publisher.grant_key)
    config = client_config(host.opened, WISH)
    assert START < config.until <= START + 60 * DAY
    assert verified(host).claims.exp == config.until


def test_each_file_is_in_the_audit() -> None:
    host = World().host()
    client_config(host.opened, WISH)
    row = look.audit(host.opened, 10).audit[-1]
    assert (row.event, row.subject) == ("host:site:sign", "contoso")
    assert row.detail.startswith("kms1.corp.test:16880; until ")
    assert row.actor == "user:test"


def test_an_old_program_follows_the_trust_in_the_file() -> None:
    world = World()
    host = world.host()
    for _ in range(3):
        world.publisher.rotate()
    host._follow()
    host.regrant()
    assert verified(host).claims.publisher == world.publisher.publisher


def test_another_publisher_has_a_part_of_its_own() -> None:
    world = World()
    host = world.host()
    (part,) = read_site_file(client_config(host.opened, WISH).text.encode())
    stranger = TinyPublisher("fabrikam", now=START)
    with pytest.raises(MusterError) as caught:
        verify_site(part, stranger.trust, None, START)
    assert caught.value.code == "licence/grant"
