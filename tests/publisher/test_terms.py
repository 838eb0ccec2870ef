"""Terms, from the publisher's command to the host that keeps the ceiling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muster.cli import compose
from muster.cli.main import muster
from muster.core.errors import MusterError
from muster.core.facts import clean_facts
from muster.core.products import day_of
from muster.host import keys
from muster.host.act import grants, updates
from muster.lease.grant import read_grant
from muster.lease.terms import Ceiling, Terms, read_terms
from muster.lease.trust import GRANT_ROLE, parse_trust
from muster.net.serve import ThreadServer
from muster.publisher.act import clock
from muster.publisher.api import PublisherAPI
from muster.publisher.model import HostGrant
from muster.testing.real import install
from muster.wire.exchange import ReplyFile

from .conftest import Shop

FACTS = {"system-uuid": "4c4c4544-0042-3510-8052-b4c04f4d3132"}


class Site:
    """A host of the shop's, with its store, activated online."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        shop.clock.seconds = compose.clock().now()
        self.shop = shop
        self.folder = folder
        self.publisher = shop.admin()
        clock.confirm(self.publisher, day_of(shop.clock.seconds))
        self.service = shop.service()
        folder.mkdir()
        key = self.publisher.issue_host_keys("server-b")[0].key
        with compose.open_host(folder, create=True) as opened:
            updates.add_publisher(opened, self.publisher.export(None))
            made = install(opened, key.text, clean_facts(FACTS))
            found = self.service.activate_host(keys.installation_id(opened.current(), made), "http")
            grants.accept(opened, self.publisher.publisher.id, found.answer)
            self.grant: HostGrant = found.grant

    def issue(
        self,
        limit: int,
        over: str = "refuse",
        agreement: str = "A-1",
        max_lease: int | None = None,
    ) -> tuple[int, ReplyFile]:
        ceiling = Ceiling(limit, over, agreement, "Fabrikam", max_lease)
        issued = self.publisher.issue_terms(self.grant.jti, ceiling)
        return issued.shown.version, issued.reply

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        words = ("host", "terms", *words, "--store", str(self.folder), "--json")
        found = CliRunner().invoke(muster, list(words))
        return found.exit_code, json.loads(found.stdout)

    def held(self) -> Terms | None:
        """What the host has taken."""
        with compose.open_host(self.folder) as opened:
            view = opened.current()
        (known,) = view.publishers.values()
        (key,) = known.keys
        assert key.grant is not None
        if key.terms is None:
            return None
        grant = read_grant(key.grant, known.trust, known.publisher)
        return read_terms(key.terms, known.trust, grant)


@pytest.fixture
def site(shop: Shop, tmp_path: Path) -> Site:
    return Site(shop, tmp_path / "host")


def test_a_host_takes_terms_online_and_draws_nothing(site: Site) -> None:
    with ThreadServer(PublisherAPI(site.service).router()) as server:
        fetch = ("fetch", "--publisher-url", server.url)
        code, said = site.run(*fetch)
        assert (code, said["changed"], said["keys"][0]["terms"]) == (0, False, None)
        assert site.issue(25)[0] == 1
        code, said = site.run(*fetch)
        assert said["keys"][0]["terms"] == {"version": 1, "limit": 25, "over": "refuse"}
        assert said["changed"]
        assert not site.run(*fetch)[1]["changed"]
        assert site.issue(30, "report")[0] == 2
        assert site.run(*fetch)[1]["keys"][0]["terms"]["limit"] == 30
    held = site.held()
    assert held is not None
    assert (held.agreement, held.customer, held.over) == ("A-1", "Fabrikam", "report")
    assert len(site.publisher.hosts()) == 1
    assert site.publisher.hosts()[0].key.hosts == 1


def test_a_host_without_network_takes_terms_by_file(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "terms"
    file.write_bytes(site.issue(3)[1].encode())
    assert site.run("import", str(file))[1]["changed"]
    assert not site.run("import", str(file))[1]["changed"]
    newer = tmp_path / "newer"
    newer.write_bytes(site.issue(4)[1].encode())
    assert site.run("import", str(newer))[1]["keys"][0]["terms"]["version"] == 2
    code, said = site.run("import", str(file))
    assert (code, said["error"]["code"]) == (1, "terms/older")
    held = site.held()
    assert held is not None
    assert held.limit == 4


def test_a_reply_to_a_request_carries_them_and_one_without_is_told(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "reply"
    with compose.open_host(site.folder) as opened:
        (known,) = opened.current().publishers.values()
        digits = keys.installation_id(opened.current(), known.keys[0])

    def write() -> None:
        answer = site.service.activate_host(digits, "file").answer
        file.write_bytes(ReplyFile(site.publisher.publisher.id, answer).encode())

    write()
    code, said = site.run("import", str(file))
    assert (code, said["error"]["code"]) == (2, "host/no-terms")
    site.issue(7)
    write()
    assert site.run("import", str(file))[1]["keys"][0]["terms"]["limit"] == 7


def test_the_same_terms_again_sign_nothing(site: Site) -> None:
    assert [site.issue(5)[0], site.issue(5)[0], site.issue(6)[0], site.issue(5)[0]] == [1, 1, 2, 3]
    events = [one.event for one in site.publisher.audit(limit=1000)]
    assert events.count("publisher:host:terms") == 3
    site.publisher.check_audit()


def test_terms_say_how_long_leases_last_also_after_a_rotation(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "terms"
    file.write_bytes(site.issue(3, max_lease=86_400 * 30)[1].encode())
    assert site.run("import", str(file))[1]["changed"]
    held = site.held()
    assert held is not None
    assert held.max_lease == 86_400 * 30
    assert site.issue(3, max_lease=86_400 * 30)[0] == 1, "the same again signs nothing"
    assert site.issue(3, max_lease=86_400 * 20)[0] == 2
    site.publisher.rotate((GRANT_ROLE,), withdraw=True, withdraw_retired=True)
    with ThreadServer(PublisherAPI(site.service).router()) as server:
        assert site.run("fetch", "--publisher-url", server.url)[0] == 0
    held = site.held()
    assert held is not None
    assert (held.limit, held.max_lease) == (3, 86_400 * 20)


def test_whom_terms_cannot_bind(site: Site) -> None:
    with pytest.raises(MusterError, match="publisher/unknown-host"):
        site.publisher.issue_terms("0" * 12, Ceiling(1, "refuse", "A"))
    with pytest.raises(MusterError, match="terms/claims"):
        site.issue(1, agreement="\x1b[2J")
    site.publisher.revoke_host(site.grant.jti)
    with pytest.raises(MusterError, match="publisher/grant-revoked"):
        site.issue(1)


def test_terms_outlive_the_key_that_signed_them(site: Site) -> None:
    site.issue(9)
    before = parse_trust(site.publisher.trust().text)
    site.publisher.rotate((GRANT_ROLE,), withdraw=True, withdraw_retired=True)
    with ThreadServer(PublisherAPI(site.service).router()) as server:
        code, said = site.run("fetch", "--publisher-url", server.url)
    held = site.held()
    assert (code, said["changed"]) == (0, True)
    assert held is not None
    assert held.limit == 9
    assert held.kid not in {one.key.kid for one in before.keys}
