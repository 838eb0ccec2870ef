"""A model of pools, draws, corrections, sizes, seats and revocations, held against the publisher.

Hypothesis tells the publisher's service and its engineer what to do in any order; after each step
the tables and the answers must say what a few dictionaries say. The rules of the model are those
of docs/spec/11-pools.md and of section 8.5 of docs/spec/08-http.md. A few examples run in
`make test`, many in `make torture`.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.profiles import lives
from tests.publisher.engineer import Engineer

from muster.core.audit import Event
from muster.core.errors import MusterError
from muster.core.identity import grant_jti
from muster.core.ids import make_installation_id
from muster.core.keys import KeyId, Kind
from muster.core.products import day_of, day_start
from muster.lease.grant import TERM
from muster.lease.trust import GRANT_ROLE, Trust
from muster.publisher import rules
from muster.publisher.model import ACTIVATION_LIMIT, HARDWARE_LIMIT
from muster.publisher.pools import MachineActivation
from muster.publisher.service import PublisherService

from .conftest import Shop

GROUP = "client-volume"
POOLS = ((Kind.MAK, 4, 0), (Kind.MAK, 25, 12), (Kind.EVALUATION, 3, 3), (Kind.RETAIL, None, 0))
MACHINES = 8
HARDWARE = 8
SIGNING = 13
KEYS = st.integers(0, len(POOLS) - 1)
NUMBERS = st.integers(0, MACHINES - 1)
UPDATE = "publisher/update-trust-first"


@dataclass
class Drawn:
    """What a machine or a host holds."""

    jti: str
    day: int
    term: int
    hw: str = ""
    text: str = ""
    kid: str = ""
    revoked: bool = False

    def over(self, now: int) -> bool:
        return bool(self.term) and now >= day_start(self.day) + self.term * TERM


@dataclass
class Pool:
    """What the model knows of a key."""

    key: KeyId
    proof: bytes
    kind: Kind
    size: int
    term: int
    limit: int
    corrected: int = 0
    revoked: bool = False
    machines: dict[str, Drawn] = field(default_factory=dict)
    alerts: list[int] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.size + self.corrected - len(self.machines)

    def alert(self, before: int, whole_before: int | None = None) -> None:
        """The levels that draws of one call, or a smaller size, reached."""
        if self.kind is Kind.RETAIL:
            return  # its one machine is no news
        whole, drawn = self.size + self.corrected, len(self.machines)
        for level in rules.ALERTS:
            if before * 100 < level * (whole_before or whole) and level * whole <= drawn * 100:
                self.alerts.append(level)


class Publisher(RuleBasedStateMachine):
    """The publisher and its model, on the tables that `make` gives."""

    make: Callable[[], contextlib.AbstractContextManager[Shop]]

    @initialize()
    def begin(self) -> None:
        self.stack = contextlib.ExitStack()
        self.shop = self.stack.enter_context(type(self).make())
        self.admin: Engineer = self.shop.admin()
        self.service: PublisherService = self.shop.service()
        self.publisher = self.admin.publisher.id
        self.pools: list[Pool] = []
        for kind, size, term in POOLS:
            (new,) = [
                one for one in self.admin.keys(kind) if (one.pool, one.term) == (size or 1, term)
            ]
            self.pools.append(
                Pool(
                    new.key_id,
                    new.proof_key,
                    kind,
                    size or 1,
                    term,
                    max(1, (size or 1) // 10),
                )
            )
        (self.host_key,) = self.admin.keys(Kind.HOST)
        self.seats: dict[str, int] = {}
        self.hosts: dict[str, Drawn] = {}
        self.host_key_revoked = False
        self.resigned = 0

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    @property
    def now(self) -> int:
        return self.shop.clock.seconds

    def trusts(self) -> tuple[Trust, ...]:
        return self.admin.trusts()

    # Machines.

    def digits(self, pool: Pool, number: int, trust: int) -> str:
        return make_installation_id(trust, pool.key, f"{number:025x}", None, pool.proof).text

    @rule(place=KEYS, number=NUMBERS, channel=st.sampled_from(("http", "file", "desk", "qr")))
    def ask(self, place: int, number: int, channel: str) -> None:
        """One machine that holds the newest trust."""
        pool, newest = self.pools[place], self.trusts()[-1]
        digits = self.digits(pool, number, newest.version)
        before = len(pool.machines)
        try:
            answer = self.service.activate(digits, channel).answer
        except MusterError as fault:
            assert fault.code == self.outcome(pool, number)
        else:
            expected = self.outcome(pool, number)
            assert expected in ("drawn", "again")
            self.give(pool, number, answer.grant, answer.confirmation_id, newest)
        pool.alert(before)

    @rule(
        rows=st.lists(
            st.tuples(KEYS, NUMBERS, st.booleans(), st.booleans()), min_size=1, max_size=12
        ),
        mostly=KEYS,
    )
    def batch(self, rows: list[tuple[int, int, bool, bool]], mostly: int) -> None:
        """Rows of one key with some of others among them, and of machines with old trust."""
        line = self.trusts()
        asked = [
            (self.pools[place if other else mostly], number, line[0] if old else line[-1])
            for place, number, other, old in rows
        ]
        found = self.service.activate_batch(
            [self.digits(pool, number, trust.version) for pool, number, trust in asked]
        )
        only = asked[0][0]
        before = len(only.machines)
        assert len(found.rows) == len(asked)
        for (pool, number, trust), row in zip(asked, found.rows, strict=True):
            code = row.code if isinstance(row, MusterError) else ""
            if pool is not only:
                assert code == "publisher/batch-key"
                continue
            expected = self.outcome(pool, number)
            if code == UPDATE:
                assert trust.version < line[-1].version
            elif isinstance(row, MachineActivation):
                assert expected == ("drawn" if row.drawn else "again")
                self.give(pool, number, row.grant.grant, row.grant.confirmation, trust)
            else:
                assert code == expected
        only.alert(before)

    def outcome(self, pool: Pool, number: int) -> str:
        """What the model says to a machine."""
        if pool.revoked:
            return "publisher/key-revoked"
        drawn = pool.machines.get(f"{number:025x}")
        if drawn is None:
            return "drawn" if pool.left > 0 else "publisher/pool-used-up"
        if drawn.revoked:
            return "publisher/activation-revoked"
        return "publisher/licence-over" if drawn.over(self.now) else "again"

    def give(self, pool: Pool, number: int, text: str, confirmation: str, held: Trust) -> None:
        """A machine was given a grant: the same as before, or a new one."""
        bound = f"{number:025x}"
        (row,) = [one for one in self.admin.machines(pool.key.text) if one.binding == bound]
        assert (row.grant, row.confirmation) == (text, confirmation)
        fresh = Drawn(grant_jti(self.publisher, pool.key, bound), day_of(self.now), pool.term)
        drawn = pool.machines.setdefault(bound, fresh)
        self.same(drawn, row.jti, row.day, row.term, text, row.kid, held)

    def same(
        self, drawn: Drawn, jti: str, day: int, term: int, text: str, kid: str, held: Trust
    ) -> None:
        assert (drawn.jti, drawn.day, drawn.term) == (jti, day, term)
        newest = self.trusts()[-1]
        # Digits alone are enough: whoever asked knows the key, and so does the newest trust.
        assert rules.accepts_signature(newest, kid, day)
        assert rules.accepts_signature(held, kid, day)
        if drawn.text and rules.accepts_signature(newest, drawn.kid, drawn.day):
            assert text == drawn.text
        elif drawn.text:
            self.resigned += 1
        drawn.text, drawn.kid = text, kid

    # Hosts.

    @rule(hw=st.integers(0, HARDWARE - 1), signing=st.integers(0, SIGNING - 1), old=st.booleans())
    def ask_host(self, hw: int, signing: int, old: bool) -> None:
        """A signing key on a machine; one key moves between machines now and then."""
        self.host(f"{hw:012x}", f"{hw * SIGNING + signing:025x}", old)

    @precondition(lambda self: self.hosts)
    @rule(hw=st.integers(0, HARDWARE - 1), data=st.data())
    def ask_host_elsewhere(self, hw: int, data: st.DataObject) -> None:
        self.host(f"{hw:012x}", data.draw(st.sampled_from(sorted(self.hosts))), old=False)

    @rule(hw=st.integers(0, 1))
    def ask_many_signing_keys(self, hw: int) -> None:
        """As often as the limit of activations and once more."""
        for signing in range(ACTIVATION_LIMIT + 1):
            self.host(f"{hw:012x}", f"{hw * SIGNING + signing:025x}", old=False)

    @rule(first=st.integers(0, 1))
    def ask_many_hosts(self, first: int) -> None:
        for hw in range(first, first + HARDWARE_LIMIT + 1):
            self.host(f"{hw:012x}", f"{hw * SIGNING:025x}", old=False)

    def host(self, hw: str, bound: str, old: bool) -> None:
        line = self.trusts()
        trust = line[0] if old else line[-1]
        key = self.host_key
        digits = make_installation_id(trust.version, key.key_id, bound, hw, key.proof_key).text
        expected = self.host_outcome(hw, bound)
        try:
            found = self.service.activate_host(digits, "http")
        except MusterError as fault:
            if fault.code == UPDATE:
                assert trust.version < line[-1].version
                assert expected in ("drawn", "again")
            else:
                assert fault.code == expected
            return
        assert expected == ("drawn" if found.drawn else "again")
        grant = found.grant
        if found.drawn:
            self.seats[hw] = self.seats.get(hw, 0) + 1
            jti = grant_jti(self.publisher, key.key_id, bound)
            self.hosts[bound] = Drawn(jti, day_of(self.now), 0, hw)
        assert grant.hw == hw
        assert found.answer.grant == grant.grant
        assert found.answer.confirmation_id == grant.confirmation
        self.same(
            self.hosts[bound], grant.jti, grant.day, grant.term, grant.grant, grant.kid, trust
        )

    def host_outcome(self, hw: str, bound: str) -> str:
        if self.host_key_revoked:
            return "publisher/key-revoked"
        drawn = self.hosts.get(bound)
        if drawn is not None:
            if drawn.revoked:
                return "publisher/host-revoked"
            return "again" if drawn.hw == hw else "publisher/hardware-changed"
        if hw not in self.seats:
            full = len(self.seats) >= HARDWARE_LIMIT
            return "publisher/hosts-used-up" if full else "drawn"
        full = self.seats[hw] >= ACTIVATION_LIMIT
        return "publisher/activations-used-up" if full else "drawn"

    @precondition(lambda self: self.hosts)
    @rule(data=st.data(), release=st.booleans(), by_hardware=st.booleans())
    def end_host(self, data: st.DataObject, release: bool, by_hardware: bool) -> None:
        """Revoke one grant or a whole machine, or release its seat."""
        chosen = self.hosts[data.draw(st.sampled_from(sorted(self.hosts)))]
        act = self.admin.release_host if release else self.admin.revoke_host
        found = act(chosen.hw if by_hardware else chosen.jti)
        named = [
            one
            for one in self.hosts.values()
            if (one.hw == chosen.hw if release or by_hardware else one is chosen)
        ]
        ended = [one for one in named if not one.revoked]
        freed = release and self.seats.pop(chosen.hw, None) is not None
        assert sorted(found.grants) == sorted(one.jti for one in ended)
        assert found.changed == bool(ended or freed)
        for one in ended:
            one.revoked = True

    # The engineer.

    @rule(place=KEYS, count=st.integers(0, 3))
    def correct(self, place: int, count: int) -> None:
        pool = self.pools[place]
        if count < 1:
            expected = "publisher/pool"
        elif pool.corrected + count > pool.limit:
            expected = "publisher/correction-limit"
        else:
            expected = ""
            pool.corrected += count
        with refusal(expected):
            self.admin.correct_pool(pool.key.text, count, "a disk was swapped")

    @rule(place=KEYS, size=st.sampled_from((0, 1, 2, 3, 4, 5, 9, 25, 40)))
    def extend(self, place: int, size: int) -> None:
        pool = self.pools[place]
        expected = ""
        if size < 1 or (pool.kind is Kind.RETAIL and size != 1):
            expected = "publisher/pool"
        elif size != pool.size and len(pool.machines) > size + pool.corrected:
            expected = "publisher/pool-drawn"
        elif size != pool.size:
            whole = pool.size + pool.corrected
            pool.size = size
            pool.limit = max(pool.corrected, 1, size // 10)
            pool.alert(len(pool.machines), whole)
        with refusal(expected):
            self.admin.extend_pool(pool.key.text, size)

    @precondition(lambda self: any(one.machines for one in self.pools))
    @rule(data=st.data())
    def revoke_activation(self, data: st.DataObject) -> None:
        drawn = [one for pool in self.pools for one in pool.machines.values()]
        chosen = data.draw(st.sampled_from(drawn))
        assert self.admin.revoke_activation(chosen.jti).changed is not chosen.revoked
        chosen.revoked = True

    @rule(place=st.integers(0, len(POOLS)), sure=st.integers(0, 5))
    def revoke_key(self, place: int, sure: int) -> None:
        """Seldom: not much happens to a key afterwards."""
        if sure:
            return
        if place == len(POOLS):
            self.admin.revoke_key(self.host_key.key_id.text)
            self.host_key_revoked = True
            return
        pool = self.pools[place]
        found = self.admin.revoke_key(pool.key.text)
        assert found.changed is not pool.revoked
        if found.changed:
            assert sorted(found.grants) == sorted(one.jti for one in pool.machines.values())
        pool.revoked = True

    @rule(withdraw=st.booleans())
    def rotate(self, withdraw: bool) -> None:
        newest = self.trusts()[-1]
        if len(newest.keys) < 8:
            self.admin.rotate([GRANT_ROLE], withdraw=withdraw, withdraw_retired=withdraw)

    @rule(days=st.sampled_from((0, 1, 7, 30, 89)))
    def wait(self, days: int) -> None:
        self.shop.clock.days(days)

    @rule()
    def restart(self) -> None:
        """The server and the engineer's program end, and begin anew on the same tables."""
        self.service.close()
        self.admin.close()
        self.shop.opened.clear()
        self.admin, self.service = self.shop.admin(), self.shop.service()

    # What must hold after each step.

    @invariant()
    def the_tables_say_what_the_model_says(self) -> None:
        if not hasattr(self, "pools"):
            return
        for pool in self.pools:
            key = self.admin.find_key(pool.key.text)
            assert (key.pool, key.corrected, key.correction_limit, key.drawn) == (
                pool.size,
                pool.corrected,
                pool.limit,
                len(pool.machines),
            )
            assert key.left == pool.left >= 0
            assert (key.revoked is not None) == pool.revoked
            rows = self.admin.machines(pool.key.text)
            assert {one.binding: (one.jti, one.day, one.revoked is not None) for one in rows} == {
                bound: (one.jti, one.day, one.revoked) for bound, one in pool.machines.items()
            }
        key = self.admin.find_key(self.host_key.key_id.text)
        assert key.hosts == len(self.seats) <= HARDWARE_LIMIT
        hosts = self.admin.hosts(key.key_id.text)
        assert {
            one.grant.binding: (one.grant.jti, one.grant.revoked is not None) for one in hosts
        } == {bound: (one.jti, one.revoked) for bound, one in self.hosts.items()}
        for one in hosts:
            held = one.seat.released_at is None
            assert held == (one.grant.hw in self.seats)
            assert not held or one.seat.activations == self.seats[one.grant.hw]
        self.catalogue_and_audit()

    def catalogue_and_audit(self) -> None:
        revoked = {one.jti or one.key for one in self.admin.catalogue().revocations}
        wanted = {one.jti for pool in self.pools for one in pool.machines.values() if one.revoked}
        wanted |= {one.jti for one in self.hosts.values() if one.revoked}
        wanted |= {pool.key.text for pool in self.pools if pool.revoked}
        if self.host_key_revoked:
            wanted.add(self.host_key.key_id.text)
        assert revoked == wanted
        # A row of the audit for each draw and each signature made anew, and no other.
        rows = self.admin.audit(0, 100_000)
        draws = Counter(
            one.subject
            for one in rows
            if one.event == Event.MACHINE_ACTIVATE.value
            and "withdrawn" not in json.loads(one.detail)
        )
        assert draws == Counter(one.jti for pool in self.pools for one in pool.machines.values())
        for pool in self.pools:
            told = [
                json.loads(one.detail)["level"]
                for one in rows
                if one.event == Event.POOL_ALERT.value and one.subject == pool.key.text
            ]
            assert told == pool.alerts


@contextlib.contextmanager
def refusal(code: str) -> Iterator[None]:
    """What is within is refused with the code; "" = it is not."""
    try:
        yield
    except MusterError as fault:
        assert fault.code == code
    else:
        assert not code


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, freshly_made: Callable[[str], Path]) -> Path:
    """Contoso with a key of each sort, on SQLite; most of that is scrypt."""
    folder = tmp_path_factory.mktemp("stocked") / "contoso"
    shutil.copytree(freshly_made("contoso"), folder)
    shop = Shop(folder / "store", folder / "reserve.key")
    stock(shop)
    return folder


def stock(shop: Shop) -> None:
    with shop.admin() as admin:
        for kind, size, term in POOLS:
            admin.issue_pool_keys(kind, GROUP, size, term=term)
        admin.issue_host_keys("server-c")


def play(make: Callable[[], contextlib.AbstractContextManager[Shop]], examples: int) -> None:
    """Run the machine over publishers that `make` gives."""
    machine = type("Publisher", (Publisher,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=lives(examples, 30),
    )


def on_sqlite(stocked: Path) -> Callable[[], contextlib.AbstractContextManager[Shop]]:
    @contextlib.contextmanager
    def make() -> Iterator[Shop]:
        with TemporaryDirectory() as name:
            folder = Path(name) / "contoso"
            shutil.copytree(stocked, folder)
            shop = Shop(folder / "store", folder / "reserve.key")
            try:
                yield shop
            finally:
                for one in shop.opened:
                    one.close()

    return make


@pytest.mark.hypothesis
def test_the_model_holds_on_sqlite(stocked: Path) -> None:
    play(on_sqlite(stocked), 12)


@pytest.mark.torture
@pytest.mark.timeout(3000)
def test_the_model_holds_on_sqlite_for_long(stocked: Path) -> None:
    play(on_sqlite(stocked), 400)


def test_who_asks_twice_in_a_batch_gets_only_what_its_trust_understands(stocked: Path) -> None:
    """The second row names trust that does not know the key that signed for the first."""
    with on_sqlite(stocked)() as shop:
        admin, service = shop.admin(), shop.service()
        (key,) = admin.keys(Kind.RETAIL)
        admin.rotate([GRANT_ROLE])
        shop.clock.days(1)
        digits = [
            make_installation_id(trust, key.key_id, f"{1:025x}", None, key.proof_key).text
            for trust in (2, 1)
        ]
        for _ in range(2):
            new, old = service.activate_batch(digits).rows
            assert isinstance(new, MachineActivation)
            assert isinstance(old, MusterError)
            assert old.code == UPDATE
