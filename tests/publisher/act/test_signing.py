"""What all acts of a publisher that sign have in common: clocks, audit lines, other writers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.publisher.act.edited import MORE, content
from tests.publisher.conftest import PASSPHRASE, Shop
from tests.publisher.engineer import open_engineer

from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.core.products import DAY
from muster.publisher import tables
from muster.publisher.store import open_store
from muster.publisher.vault import Vault
from muster.system.files import Lock


def test_a_clock_that_went_back_signs_nothing(shop: Shop) -> None:
    admin = shop.admin()
    shop.clock.seconds -= 3600
    assert admin.rotate(["grant"]).trust.issued_at == shop.clock.seconds + 3600
    shop.clock.days(-1)
    for act in (
        lambda: admin.rotate(["grant"]),
        lambda: admin.publish(content(("[[conversions]]", MORE))),
    ):
        with pytest.raises(MusterError, match="publisher/clock"):
            act()
    assert admin.trust().version == 2


def test_every_act_leaves_its_line_and_none_is_missing(shop: Shop) -> None:
    admin = shop.admin()
    start = admin.audit()[-1].seq
    key = admin.issue_host_keys("server-b")[0].issued.key_id.text
    admin.revoke_key(key)
    admin.publish(content(("[[conversions]]", MORE)))
    shop.clock.seconds += DAY
    admin.rotate(["catalogue"])
    rows = admin.audit(after=start)
    assert [(one.event, one.subject) for one in rows] == [
        ("publisher:key:issue", key),
        ("publisher:key:revoke", key),
        ("publisher:key:issue", admin.keys(Kind.SETUP)[-1].key_id.text),
        ("publisher:product:add", "office-2013"),
        ("publisher:product:add", "contoso-office-2013"),
        ("publisher:catalogue:sign", "3"),
        ("publisher:trust:sign", "2"),
    ]
    # What is signed for an act is told in its row.
    assert [json.loads(row.detail).get("catalogue") for row in (rows[1], rows[-1])] == [2, 4]
    every = admin.audit()
    assert [one.seq for one in every] == list(range(1, len(every) + 1))
    assert {one.actor for one in every} == {"test"}
    assert rows[-1].at == shop.clock.seconds
    for one in every:
        json.loads(one.detail)
    assert admin.audit(after=2, limit=1) == every[2:3]


def test_an_act_that_fails_leaves_no_line(shop: Shop) -> None:
    admin = shop.admin()
    before = admin.audit()
    for act in (
        lambda: admin.issue_host_keys("nobody"),
        lambda: admin.revoke_host("nobody"),
        lambda: admin.release_host('"{}'),
        lambda: admin.publish(content(("need = 25", "need = 26"))),
    ):
        with pytest.raises(MusterError):
            act()
    assert admin.audit() == before


def test_no_publisher(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "nothing", tmp_path / "reserve.key")
    for open_it in (lambda: shop.admin().publisher, shop.service):
        with pytest.raises(MusterError, match="publisher/none"):
            open_it()
    shop.folder.mkdir()
    open_store(shop.folder, 0, create=True).close()
    for open_it in (lambda: shop.admin().publisher, shop.service):
        with pytest.raises(MusterError, match="publisher/none"):
            open_it()
    assert shop.init().changed


def test_another_writer_in_the_midst_of_an_act_undoes_the_act(shop: Shop) -> None:
    key = shop.admin().issue_host_keys("server-b")[0].issued.key_id.text
    before = shop.admin().audit()

    def passphrase() -> str:
        # Asked between the first look and the transaction: another program publishes meanwhile.
        store = open_store(shop.folder, shop.clock.seconds)
        with store.edit() as tx:
            newest = tables.documents.newest_catalogue(tx)
            if newest.version == 1:
                tables.documents.add_catalogue(tx, replace(newest, version=2))
        store.close()
        return PASSPHRASE

    vault = Vault(shop.folder / "keys", passphrase)
    with open_engineer(shop.folder, vault, shop.clock, shop.dice, "slow") as admin:
        with pytest.raises(MusterError, match="publisher/changed"):
            admin.revoke_key(key)
        assert admin.find_key(key).revoked is None
        assert admin.audit() == before


def test_acts_wait_for_each_other(shop: Shop) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Lock(shop.folder / "admin.lock"):
            waiting = pool.submit(shop.admin().issue_host_keys, "server-b")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            assert shop.admin().keys(Kind.HOST) == ()
            # Reading does not wait, and the service does not either.
            service = shop.service()
            service.check_ready()
        assert len(waiting.result(timeout=60)) == 1
