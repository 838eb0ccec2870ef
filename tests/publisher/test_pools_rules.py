"""The rules of pools as properties: sizes, levels, and what batches in any order draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.core.errors import MusterError
from muster.core.keys import KeyId, Kind
from muster.publisher import rules
from muster.publisher.document_cache import DocumentCache
from muster.publisher.evidence import CheckedClock
from muster.publisher.model import IssuedKey
from muster.publisher.pools import MachineActivation, Pools
from muster.publisher.store import open_store

from .conftest import Shop

LEVELS = st.lists(st.integers(1, 100), max_size=16, unique=True).map(lambda one: tuple(sorted(one)))
SIZES = st.integers(1, rules.MAX_POOL)
KEY = IssuedKey(KeyId(Kind.MAK, 7, 5), "g", "XXXXX", b"\0" * 32, 0)


@given(st.sampled_from(Kind), st.none() | st.integers(-1, 2**40), st.integers(-1, 70), LEVELS)
def test_every_pool_that_is_let_in_is_what_the_chapter_says(
    kind: Kind, pool: int | None, term: int, alerts: tuple[int, ...]
) -> None:
    try:
        size, levels = rules.check_pool(kind, pool, term, alerts)
    except MusterError as fault:
        assert fault.code == "publisher/pool"
        good = kind in rules.MACHINE_KINDS and 0 <= term <= 63
        if kind is Kind.RETAIL:
            assert not (good and pool in (None, 1))
        elif kind is Kind.EVALUATION:
            assert not (good and pool and 0 < pool <= rules.MAX_POOL and term in (3, 6))
        else:
            assert not (good and pool and 0 < pool <= rules.MAX_POOL)
        return
    assert kind in (Kind.MAK, Kind.EVALUATION, Kind.RETAIL)
    assert 1 <= size <= rules.MAX_POOL
    assert size == 1 or kind is not Kind.RETAIL
    assert term in (3, 6) or kind is not Kind.EVALUATION
    assert levels == alerts
    assert 1 <= rules.correction_limit(size) <= max(1, size // 10)


@given(SIZES, LEVELS, st.data())
def test_however_draws_are_cut_into_calls_each_level_is_told_once(
    size: int, alerts: tuple[int, ...], data: st.DataObject
) -> None:
    """A pool that is drawn in steps tells the levels that one draw of all would, in rising order,
    and the last draw tells 100."""
    key = replace(KEY, pool=size, alerts=alerts)
    steps = sorted(data.draw(st.lists(st.integers(0, size), max_size=12)))
    told: list[int] = []
    for before, after in zip([0, *steps], [*steps, size], strict=True):
        told += rules.crossed(replace(key, drawn=before), replace(key, drawn=after))
    assert told == list(alerts)


@given(SIZES, SIZES, st.integers(0, rules.MAX_POOL), LEVELS)
def test_a_level_is_told_when_it_is_reached_and_at_no_other_change(
    first: int, second: int, drawn: int, alerts: tuple[int, ...]
) -> None:
    before, after = (
        replace(KEY, pool=size, drawn=min(drawn, size), alerts=alerts) for size in (first, second)
    )
    found = set(rules.crossed(before, after))
    for level in alerts:
        was = before.drawn / before.pool * 100 >= level - 1e-9
        now = after.drawn / after.pool * 100 >= level - 1e-9
        assert (level in found) == (now and not was)


Batches = Sequence[Sequence[int]]


@pytest.mark.parametrize("piece", [1, 3, 500])
@examples(8, shared=True)
@given(
    size=st.integers(1, 12),
    batches=st.lists(st.lists(st.integers(0, 15), max_size=14), min_size=1, max_size=4),
)
def test_batches_in_any_order_draw_first_come_first_served(
    shop: Shop, piece: int, size: int, batches: Batches
) -> None:
    """Against the plainest model there is, wherever the pieces of a batch are cut."""
    admin = shop.admin()
    store = open_store(shop.folder, shop.clock.now())
    clock = CheckedClock(store, shop.folder, shop.clock)
    pools = Pools(admin.publisher.id, store, shop.vault(), clock, DocumentCache(), piece)
    key = admin.issue_pool_keys(Kind.MAK, "client-volume", size)[0].key
    machines = shop.machines(key, 16)
    held: dict[int, str] = {}
    for batch in batches:
        found = pools.activate([machines[number].digits() for number in batch], "batch").rows
        assert len(found) == len(batch)
        for number, row in zip(batch, found, strict=True):
            if number in held:
                assert isinstance(row, MachineActivation)
                assert (row.drawn, row.grant.confirmation) == (False, held[number])
            elif len(held) < size:
                assert isinstance(row, MachineActivation)
                assert row.drawn
                assert row.grant.confirmation not in held.values()
                held[number] = row.grant.confirmation
            else:
                assert isinstance(row, MusterError)
                assert row.code == "publisher/pool-used-up"
    assert admin.find_key(key.text).drawn == len(held)
    grants = {one.binding: one.confirmation for one in admin.machines(key.key_id.text)}
    assert grants == {machines[number].binding: text for number, text in held.items()}
    store.close()
