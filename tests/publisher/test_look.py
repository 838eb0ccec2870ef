"""Questions at a publisher read one state; acts change it once, say so, and the second time do not.

What they return is a record whose JSON has the shape that its type says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from tests.db.counted import Counted

from muster.core.errors import MusterError
from muster.core.ids import parse_installation_id
from muster.core.keys import Kind
from muster.core.records import encode, schema
from muster.lease.terms import Ceiling
from muster.publisher import look
from muster.publisher.act import activation, backup, catalogue, hosts, keys, pools, trust
from muster.publisher.catalogue_file import parse_catalogue_file, sample
from muster.publisher.model import KeyOrder
from muster.publisher.office import Office
from muster.publisher.store import Store, open_store
from muster.wire.publisher import ConfirmRequest

from .conftest import Shop


@pytest.fixture
def drawn(shop: Shop) -> Shop:
    """A publisher with a host and a machine that were activated."""
    admin, service = shop.admin(), shop.service()
    host = shop.host(admin.issue_host_keys("server-c")[0].key)
    service.activate_host(host.digits(), "http")
    key = admin.issue_pool_keys(Kind.MAK, "client-volume", 5)[0].key
    (machine,) = shop.machines(key, 1)
    service.activate_batch([machine.digits()])
    return shop


@pytest.fixture
def counted(drawn: Shop) -> Iterator[tuple[Office, Counted]]:
    """That publisher, opened anew over a database that counts."""
    store = open_store(drawn.folder, drawn.clock.now())
    found = Counted(store.database)
    yield (
        Office(drawn.folder, Store(found), drawn.vault(), drawn.clock, drawn.dice, "test"),
        found,
    )
    store.close()


def checked(record: object) -> None:
    jsonschema.validate(encode(record), schema(type(record)), jsonschema.Draft202012Validator)


def key_of(office: Office, kind: Kind) -> str:
    return look.keys(office, kind).keys[0].id


CONTENT = parse_catalogue_file(sample()).content
PRODUCT = "contoso-visio-2010"
QUESTIONS: dict[str, Callable[[Office], object]] = {
    "trust": look.trust,
    "every trust": lambda office: look.trust(office, every=True),
    "catalogue": look.catalogue,
    "products": look.products,
    "product": lambda office: look.product(office, PRODUCT),
    "difference": lambda office: look.difference(office, CONTENT),
    "keys": look.keys,
    "hosts": look.hosts,
    "surroundings": look.surroundings,
    "audit": look.audit,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_reads_one_state(counted: tuple[Office, Counted], name: str) -> None:
    office, database = counted
    checked(QUESTIONS[name](office))
    assert (database.snapshots, database.transactions) == (1, 0)


@pytest.mark.parametrize("kind", [Kind.HOST, Kind.MAK])
def test_a_key_is_shown_with_what_was_drawn_on_it(
    counted: tuple[Office, Counted], kind: Kind
) -> None:
    office, database = counted
    key = key_of(office, kind)
    database.snapshots = 0
    shown = look.key(office, key)
    checked(shown)
    assert (len(shown.key.grants), len(shown.key.activations)) == (
        (1, 0) if kind is Kind.HOST else (0, 1)
    )
    assert look.hosts(office, key).hosts == shown.key.grants
    assert (database.snapshots, database.transactions) == (2, 0)


def test_documents_tell_their_versions_from_the_state_that_they_were_made_of(
    counted: tuple[Office, Counted],
) -> None:
    office, database = counted
    found = look.descriptor(office, PRODUCT)
    assert (found.product, found.trust) == (PRODUCT, 1)
    whole = look.export(office, "http://contoso.test")
    assert (whole.trust, whole.catalogue, whole.file.url) == (1, 1, "http://contoso.test")
    assert (database.snapshots, database.transactions) == (2, 0)


ACTS: dict[str, Callable[[Office], object]] = {
    "publish": lambda office: catalogue.publish(office, CONTENT),
    "revoke product": lambda office: catalogue.revoke_product(office, PRODUCT),
    "revoke key": lambda office: keys.revoke_key(office, key_of(office, Kind.HOST)),
    "extend pool": lambda office: pools.extend_pool(office, key_of(office, Kind.MAK), 9),
    "release host": lambda office: hosts.release_host(office, look.hosts(office).hosts[0].hardware),
    "revoke host": lambda office: hosts.revoke_host(office, look.hosts(office).hosts[0].grant),
    "terms": lambda office: (
        hosts.issue_terms(
            office, look.hosts(office).hosts[0].grant, Ceiling(5, "report", "A-1")
        ).shown
    ),
    "resume": lambda office: backup.resume(office, head=None, accept_loss=False),
}
SAYS_NOTHING_NEW = ("publish", "resume")


@pytest.mark.parametrize("name", ACTS)
def test_an_act_is_one_transaction_and_the_second_time_changes_nothing(
    counted: tuple[Office, Counted], name: str
) -> None:
    office, database = counted
    changed = []
    for _ in range(2):
        before = database.transactions
        done = ACTS[name](office)
        checked(done)
        changed.append(encode(done)["changed"])
        assert database.transactions - before <= 1
    assert changed == [name not in SAYS_NOTHING_NEW, False]


def test_acts_that_make_something_new_each_time(
    counted: tuple[Office, Counted], tmp_path: Path
) -> None:
    office, database = counted
    issued = keys.issue_keys(office, KeyOrder(Kind.HOST, "server-b", count=2))
    assert database.transactions == 1
    assert len({one.key for one in issued.keys}) == 2
    for done in (
        issued,
        trust.rotate(office, ["grant"]),
        pools.correct_pool(office, key_of(office, Kind.MAK), 1, "a disk was swapped"),
        backup.write_backup(office, tmp_path / "backup"),
    ):
        checked(done)
        assert encode(done)["changed"] is True
    assert database.transactions == 4, "a backup is an act too"


def test_the_desk_draws_once_and_says_so(drawn: Shop) -> None:
    key = drawn.admin().issue_host_keys("server-c")[0].key
    host = drawn.host(key)
    (machine,) = drawn.machines(
        drawn.admin().issue_pool_keys(Kind.MAK, "client-volume", 5)[0].key, 1
    )
    with drawn.admin() as office:
        look.check_installation_id(office, parse_installation_id(host.digits()))
        for asked in (host.digits(), machine.digits()):
            first = activation.confirm(office, asked, "desk")
            again = activation.confirm(office, asked, "file")
            assert first.shown.changed
            assert not again.shown.changed
            assert again.reply == first.reply
            checked(first.shown)
        answer = activation.activate_host(office, ConfirmRequest(host.digits()), "file")
        assert not answer.shown.changed
        assert answer.reply.answer.confirmation_id == answer.shown.confirmation_id
        checked(answer.shown)


def test_the_desk_tells_an_id_of_a_stranger_before_anything_is_drawn(drawn: Shop) -> None:
    key = drawn.admin().issue_host_keys("server-c")[0].key
    iid = parse_installation_id(drawn.host(key).digits())
    unknown = replace(iid, key_id=replace(iid.key_id, serial=iid.key_id.serial + 1))
    with drawn.admin() as office:
        for wrong, code in (
            (unknown, "publisher/unknown-key"),
            (replace(iid, hw="0" * 12), "id/proof"),
        ):
            with pytest.raises(MusterError) as caught:
                look.check_installation_id(office, wrong)
            assert caught.value.code == code
