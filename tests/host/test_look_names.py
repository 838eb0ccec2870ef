"""Who is who: the names that machines give themselves, a stranger's words, at a host."""

from __future__ import annotations

from dataclasses import replace

from muster.host import look
from muster.host.metrics import ledger_families
from muster.lease import strict
from muster.lease.jws import parse
from muster.net.page import Page
from muster.wire.activation import ActivationRequest

from .conftest import Machine, World, leased, refused
from .test_count_seats import clients, put_terms, under_terms


def named(world: World, number: int, name: str, product: str = "desktop-pro") -> ActivationRequest:
    """The next request of a machine that says what it is called."""
    world.turns[number] = world.turns.get(number, -1) + 1
    machine = world.machine(number)
    request = machine.request(world.id, product, world.clock.now())
    return replace(request, client=replace(request.client, name=name)).prove(machine.key)


def log_names(world: World) -> list[tuple[str, str]]:
    """Code and name of the requests in the log, oldest first."""
    return [(row.code, row.name) for row in look.requests(world.opened, 100).requests]


def test_lists_and_log_say_who_is_who(host: World) -> None:
    host.ask(1, request=named(host, 1, "reception-1"))
    host.ask(2, request=named(host, 2, "Büro № 7 受付"))
    host.ask(3)
    rows = clients(host)
    assert [rows[Machine(number).cmid].name for number in (1, 2, 3)] == [
        "reception-1",
        "Büro № 7 受付",
        "",
    ]
    assert [name for _, name in log_names(host)] == ["reception-1", "Büro № 7 受付", ""]
    host.ask(1, request=named(host, 1, "renamed"))
    assert clients(host)[Machine(1).cmid].name == "renamed"


def test_who_was_refused_at_the_ceiling_is_in_the_log(world: World) -> None:
    under_terms(world, 1, max_lease=None)
    leased(world.ask(1, request=named(world, 1, "first", "tiny")))
    assert refused(world.ask(2, request=named(world, 2, "second", "tiny"))) == "host/limit-reached"
    assert log_names(world) == [("", "first"), ("host/limit-reached", "second")]
    (known,) = world.service.view().publishers.values()
    put_terms(world, world.publisher.terms(known.grants[0].grant, 2, version=3))
    leased(world.ask(2, request=named(world, 2, "second", "tiny")))


def test_a_clone_is_named_and_renames_nobody(host: World) -> None:
    first = named(host, 1, "golden")
    host.ask(1, request=first)
    key = Machine(1).key
    clone = Machine(2).request(host.id, "desktop-pro", host.clock.now(), key=key)
    clone = replace(clone, client=replace(clone.client, name="copy-of-golden")).prove(key)
    assert (
        refused(host.ask(2, request=clone, address="192.0.2.77", key=key)) == "host/duplicate-cmid"
    )
    row = clients(host)[first.cmid]
    assert row.name == "golden"
    assert (row.duplicates, row.clone_name, row.clone_address) == (
        1,
        "copy-of-golden",
        "192.0.2.77",
    )


def test_no_lease_answer_or_metric_holds_a_name(host: World) -> None:
    secret = "name-that-nobody-else-may-read"
    host.fill(range(1, 25), "server-standard")
    answer = leased(host.ask(25, request=named(host, 25, secret, "server-standard")))
    assert secret.encode() not in answer.encode()
    assert secret not in str(parse(answer.bundle.lease, strict.SMALL).payload)
    with host.database.snapshot() as reader:
        families = ledger_families(reader, host.service.view(), host.clock.now())
    page = Page("host", lambda: families).encode()
    assert host.id.encode() in page
    assert secret.encode() not in page
