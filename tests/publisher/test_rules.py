"""The publisher's laws as properties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.core.ids import InstallationId
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, Application, Conversion, KeyGroup, Periods, Product, day_start
from muster.lease.jws import MemorySigningKey
from muster.lease.trust import MAX_DAY, Trust, TrustKey
from muster.publisher import rules
from muster.publisher.model import Change, Content, HostGrant, IssuedKey, MachineGrant, Seat

DAYS = st.integers(0, 1000)
KEYS = [MemorySigningKey(number.to_bytes(32, "big")).public for number in range(40)]


def trust(keys: tuple[TrustKey, ...], version: int = 1) -> Trust:
    return Trust("a" * 16, 0, version, "x", "X", (KEYS[-1], KEYS[-2]), keys, "")


@st.composite
def working_keys(draw: st.DrawFn) -> tuple[TrustKey, ...]:
    numbers = draw(st.lists(st.integers(0, 9), unique=True, max_size=8))
    return tuple(
        TrustKey(
            KEYS[number],
            role := draw(st.sampled_from(["grant", "catalogue"])),
            number if role == "grant" else None,
            draw(st.none() | DAYS),
        )
        for number in numbers
    )


# Trust.


@given(st.sets(st.integers(1, 3000), max_size=60), st.integers(0, 255))
def test_the_newest_version_of_a_residue(versions: set[int], residue: int) -> None:
    found = rules.version_of_residue(versions, residue)
    fitting = {one for one in versions if one % 256 == residue}
    assert found == (max(fitting) if fitting else None)


@given(working_keys(), working_keys(), DAYS, st.sampled_from(["grant", "catalogue"]))
def test_whoever_signs_is_known_to_both_and_may(
    new: tuple[TrustKey, ...], old: tuple[TrustKey, ...], day: int, role: str
) -> None:
    newest, held = trust(new, 2), trust(old, 1)
    found = rules.choose_key(newest, held, role, day)
    able = [
        one
        for one in new
        if one.role == role
        and (one.until is None or day <= one.until)
        and any(
            other.key == one.key
            and other.role == role
            and (other.until is None or day <= other.until)
            for other in old
        )
    ]
    if found is None:
        assert not able
        return
    assert found in able
    # What is signed now verifies under both trusts, on that day.
    assert newest.find(found.key.kid, role, day) == found
    held.find(found.key.kid, role, day)
    if any(one.until is None for one in able):
        assert found.until is None


@given(working_keys(), DAYS, st.none() | DAYS, st.booleans(), st.data())
def test_a_rotation_leaves_exactly_the_fresh_keys_in_use(
    keys: tuple[TrustKey, ...], day: int, ahead: int | None, retired_too: bool, data: st.DataObject
) -> None:
    roles = data.draw(st.sets(st.sampled_from(["grant", "catalogue"]), min_size=1))
    fresh = [
        TrustKey(KEYS[20 + place], role, 99 if role == "grant" else None)
        for place, role in enumerate(sorted(roles))
    ]
    until = None if ahead is None else day + ahead
    found = rules.next_keys(keys, fresh, day, until, retired_too=retired_too)
    for one in found:
        if one.role in roles and one.until is None:
            assert one in fresh
    assert [one for one in found if one.role not in roles] == [
        one for one in keys if one.role not in roles
    ]
    kept = {one.key.kid for one in found}
    for one in keys:
        if one.role not in roles:
            continue
        gone = one.key.kid not in kept
        if rules.may_sign(one, day):
            assert gone == (until is None)
        else:
            assert gone == retired_too
    # No key ever gets a later end than it had.
    ends = {one.key.kid: one.until for one in found}
    for one in keys:
        if one.until is not None and one.key.kid in ends:
            end = ends[one.key.kid]
            assert end is not None
            assert end <= one.until


def test_trust_does_not_overflow() -> None:
    keys = tuple(
        TrustKey(MemorySigningKey(number.to_bytes(32, "big")).public, "grant", number, 5)
        for number in range(rules.MAX_TRUST_KEYS)
    )
    with pytest.raises(MusterError, match="publisher/trust-full"):
        rules.next_keys(keys, [TrustKey(KEYS[0], "grant", 200)], 10, 10)
    assert rules.next_keys(keys, [TrustKey(KEYS[0], "grant", 200)], 10, 10, retired_too=True) == (
        TrustKey(KEYS[0], "grant", 200),
    )


def test_without_a_key_no_catalogue_is_signed() -> None:
    gone = trust((TrustKey(KEYS[0], "catalogue", None, until=5), TrustKey(KEYS[1], "grant", 0)))
    assert rules.catalogue_key(gone, 5).key == KEYS[0]
    with pytest.raises(MusterError, match="publisher/no-key"):
        rules.catalogue_key(gone, 6)


@given(st.sets(st.integers(0, 255), max_size=20))
def test_an_index_is_never_used_twice(used: set[int]) -> None:
    if 255 in used:
        with pytest.raises(MusterError, match="publisher/trust-full"):
            rules.next_index(used)
    else:
        assert rules.next_index(used) > max(used, default=-1)


# Instants.


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_signature_is_dated_before_the_newest_only_where_that_is_of_the_future(
    now: int, newest: int
) -> None:
    try:
        found = rules.stamp(now, newest)
    except MusterError as fault:
        assert fault.code == "publisher/clock"
        assert not day_start(0) <= now < day_start(MAX_DAY + 1)
    else:
        assert found >= newest or newest > now + rules.CLOCK_SLACK
        assert found >= now
        assert found - now <= rules.CLOCK_SLACK


# Contents.

NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def contents(draw: st.DrawFn) -> Content:
    groups = draw(st.lists(NAMES, unique=True))
    applications = draw(st.lists(NAMES, unique=True))
    products = draw(st.lists(NAMES, unique=True)) if groups and applications else []
    return Content(
        groups=tuple(
            KeyGroup(
                draw(st.integers(0, 2)),
                one,
                (one,),
                draw(st.sampled_from([200 * DAY, 300 * DAY])),
            )
            for one in groups
        ),
        applications=tuple(
            Application(one, draw(st.sampled_from(["A", "B"]))) for one in applications
        ),
        products=tuple(
            Product(
                id=one,
                application=draw(st.sampled_from(applications)),
                group=draw(st.sampled_from(groups)),
                need=draw(st.integers(1, 2)),
                name=draw(st.sampled_from(["P", "Q"])),
                edition="",
                channel="volume",
                spans=Periods(),
                identity=("machine",),
                features=(),
                setup_key=draw(st.sampled_from(["", "K"])),
            )
            for one in products
        ),
        conversions=tuple(
            Conversion("a", "b", draw(st.sampled_from(["allowed", "refused"])), "")
            for _ in range(draw(st.integers(0, 1)))
        ),
    )


@given(contents())
def test_nothing_differs_from_itself(content: Content) -> None:
    assert rules.diff(content, content) == ()
    rules.check_successor(content, content)
    stripped = replace(
        content, products=tuple(replace(one, setup_key="other") for one in content.products)
    )
    assert rules.diff(content, stripped) == ()


@given(contents(), contents())
def test_a_successor_keeps_every_promise(old: Content, new: Content) -> None:
    groups = {one.id: one for one in new.groups}
    products = {one.id: one for one in new.products}
    kept = (
        all(groups.get(one.id) == one for one in old.groups)
        and {one.id for one in old.applications} <= {one.id for one in new.applications}
        and all(
            one.id in products
            and (products[one.id].need, products[one.id].group, products[one.id].application)
            == (one.need, one.group, one.application)
            for one in old.products
        )
    )
    if kept:
        rules.check_successor(old, new)
    else:
        with pytest.raises(MusterError, match="publisher/catalogue-fixed"):
            rules.check_successor(old, new)


@given(contents(), contents(), contents())
def test_promises_hold_over_any_line_of_catalogues(
    first: Content, second: Content, third: Content
) -> None:
    try:
        rules.check_successor(first, second)
        rules.check_successor(second, third)
    except MusterError:
        return
    rules.check_successor(first, third)


# Draws.

HOST_KEY = IssuedKey(KeyId(Kind.HOST, 1, 7), "g", "masked", bytes(32), issued_at=0)
IID = InstallationId(0, 1, KeyId(Kind.HOST, 1, 7), "0" * 25, "a" * 12, 0)
NOW = day_start(100)


def grant(**changes: object) -> HostGrant:
    found = HostGrant(
        key=HOST_KEY.key_id.text,
        binding=IID.binding,
        hw="a" * 12,
        jti="A" * 22,
        day=100,
        term=0,
        kid=KEYS[0].kid,
        grant="",
        confirmation="",
        first_at=NOW,
        last_at=NOW,
    )
    return replace(found, **changes)  # type: ignore[arg-type]  # names are the test's own


NEWEST = trust((TrustKey(KEYS[0], "grant", 0),))


@given(
    hosts=st.integers(0, 6),
    seat=st.none() | st.tuples(st.integers(0, 10), st.booleans()),
)
def test_a_draw_takes_only_what_is_left(hosts: int, seat: tuple[int, bool] | None) -> None:
    key = replace(HOST_KEY, hosts=hosts)
    place = Seat(key.key_id.text, "a" * 12, seat[0], 0, 5 if seat[1] else None) if seat else None
    held = place is not None and place.released_at is None
    try:
        found = rules.decide_host(IID, key, place, None, NEWEST, NOW)
    except MusterError as fault:
        if held:
            assert place is not None
            assert fault.code == "publisher/activations-used-up"
            assert place.activations >= 10
        else:
            assert fault.code == "publisher/hosts-used-up"
            assert hosts >= 6
    else:
        assert found == rules.Draw(new_host=not held)
        assert hosts < 6 or held


@pytest.mark.parametrize(
    ("key", "drawn", "code"),
    [
        (replace(HOST_KEY, revoked=3), None, "publisher/key-revoked"),
        (replace(HOST_KEY, revoked=3), grant(), "publisher/key-revoked"),
        (HOST_KEY, grant(revoked=99), "publisher/host-revoked"),
        (HOST_KEY, grant(hw="b" * 12), "publisher/hardware-changed"),
        (HOST_KEY, grant(day=70, term=1), "publisher/term-over"),
    ],
)
def test_refusals(key: IssuedKey, drawn: HostGrant | None, code: str) -> None:
    with pytest.raises(MusterError) as caught:
        rules.decide_host(IID, key, None, drawn, NEWEST, NOW)
    assert caught.value.code == code


def test_the_same_binding_gets_the_same_grant_even_when_all_is_used_up() -> None:
    key = replace(HOST_KEY, hosts=6)
    seat = Seat(key.key_id.text, "a" * 12, 10, 0)
    assert rules.decide_host(IID, key, seat, grant(), NEWEST, NOW) == rules.Again(grant(), False)
    assert rules.decide_host(IID, key, seat, grant(day=71, term=1), NEWEST, NOW) == rules.Again(
        grant(day=71, term=1), False
    )


def test_a_grant_of_a_withdrawn_key_is_signed_anew() -> None:
    found = rules.decide_host(IID, HOST_KEY, None, grant(), trust(()), NOW)
    assert found == rules.Again(grant(), resign=True)
    retired = trust((TrustKey(KEYS[0], "grant", 0, until=100),))
    assert rules.decide_host(IID, HOST_KEY, None, grant(), retired, NOW) == rules.Again(
        grant(), resign=False
    )


@pytest.mark.parametrize("kind", [Kind.MAK, Kind.SETUP, Kind.EVALUATION, Kind.RETAIL])
def test_only_host_keys_enrol_hosts(kind: Kind) -> None:
    iid = InstallationId(0, 1, KeyId(kind, 1, 7), "0" * 25, None, 0)
    with pytest.raises(MusterError, match="publisher/not-host-key"):
        rules.check_host_request(iid, HOST_KEY)
    with pytest.raises(MusterError, match="publisher/unknown-key"):
        rules.check_host_request(IID, None)


# Borders, one by one.


def refusal(call: Callable[..., object], *args: object, **named: object) -> str:
    """The code of a refusal, and what it says of the place or the reason; "" for none."""
    try:
        call(*args, **named)
    except MusterError as fault:
        said = fault.params.get("where") or fault.params.get("detail") or ""
        return f"{fault.code} {said}".strip()
    return ""


@pytest.mark.parametrize(
    ("now", "newest", "found"),
    [
        (day_start(0), 0, day_start(0)),
        (day_start(0) - 1, 0, None),
        (day_start(MAX_DAY + 1) - 1, 0, day_start(MAX_DAY + 1) - 1),
        (day_start(MAX_DAY + 1), 0, None),
        (NOW, NOW + 4 * 3600, NOW + 4 * 3600),
        (NOW, NOW + 4 * 3600 + 1, NOW),
        (NOW, NOW - 1, NOW),
    ],
)
def test_the_clock_of_a_publisher(now: int, newest: int, found: int | None) -> None:
    if found is None:
        assert refusal(rules.stamp, now, newest).startswith("publisher/clock")
    else:
        assert rules.stamp(now, newest) == found
        assert rules.today(now) == (now - day_start(0)) // DAY


GROUP = KeyGroup(1, "g", ("g",), 200 * DAY)
PRODUCT = Product(
    id="p",
    application="a",
    group="g",
    need=1,
    name="P",
    edition="",
    channel="volume",
    spans=Periods(),
    identity=("machine",),
    features=(),
    setup_key="",
)
SECOND = replace(PRODUCT, id="q")
CONTENT = Content(
    groups=(GROUP,),
    applications=(Application("a", "A"),),
    products=(PRODUCT, SECOND),
    conversions=(Conversion("p", "q", "allowed", ""),),
)


def lasting(**spans: int) -> Content:
    """The content with other spans of its first product."""
    product = replace(PRODUCT, spans=replace(PRODUCT.spans, **spans))
    return replace(CONTENT, products=(product, SECOND))


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (CONTENT, ""),
        (replace(CONTENT, applications=CONTENT.applications * 2), "applications"),
        (replace(CONTENT, groups=(GROUP, replace(GROUP, number=2))), "groups"),
        (replace(CONTENT, groups=(GROUP, replace(GROUP, id="h", covers=("h",)))), "groups"),
        (replace(CONTENT, products=(PRODUCT, PRODUCT, SECOND)), "products"),
        (replace(CONTENT, conversions=CONTENT.conversions * 2), "conversions"),
        (replace(CONTENT, groups=(replace(GROUP, covers=()),)), "groups[g].covers"),
        (replace(CONTENT, groups=(replace(GROUP, covers=("g", "x")),)), "groups[g].covers"),
        (replace(CONTENT, applications=()), "products[p].application"),
        (replace(CONTENT, groups=(replace(GROUP, id="h", covers=("h",)),)), "products[p].group"),
        (lasting(lease=200 * DAY), ""),
        (lasting(lease=200 * DAY + 1), "products[p].spans.lease"),
        (lasting(renew_after=15 * 60), ""),
        (lasting(renew_after=15 * 60 - 1), "products[p].spans.renew_after"),
        (lasting(retry_after=30 * DAY), ""),
        (lasting(retry_after=30 * DAY + 1), "products[p].spans.retry_after"),
        (lasting(renew_after=DAY - 1, lease=DAY), ""),
        (lasting(renew_after=DAY, lease=DAY), "products[p].spans.renew_after"),
        (
            replace(CONTENT, conversions=(Conversion("p", "x", "allowed", ""),)),
            "conversions[p to x]",
        ),
        (
            replace(CONTENT, conversions=(Conversion("x", "q", "allowed", ""),)),
            "conversions[x to q]",
        ),
        (
            replace(CONTENT, conversions=(Conversion("p", "p", "allowed", ""),)),
            "conversions[p to p]",
        ),
    ],
)
def test_what_a_catalogue_may_hold(content: Content, where: str) -> None:
    assert refusal(rules.check_content, content) == (
        f"publisher/catalogue-file {where}" if where else ""
    )


def test_a_lease_is_no_longer_than_any_group_that_covers_it_allows() -> None:
    other = KeyGroup(2, "h", ("h", "g"), 179 * DAY)
    content = replace(CONTENT, groups=(GROUP, other))
    assert refusal(rules.check_content, content) == (
        "publisher/catalogue-file products[p].spans.lease"
    )
    apart = replace(CONTENT, groups=(GROUP, replace(other, covers=("h",))))
    assert refusal(rules.check_content, apart) == ""


def test_each_difference_is_named() -> None:
    renamed = replace(SECOND, name="Q", need=2)
    new = replace(
        CONTENT,
        applications=(Application("a", "B"), Application("b", "B")),
        products=(PRODUCT, renamed),
        conversions=(Conversion("q", "p", "allowed", ""),),
    )
    assert rules.diff(CONTENT, new) == (
        Change("application", "a", "changed", ("name",)),
        Change("application", "b", "added"),
        Change("product", "q", "changed", ("need", "name")),
        Change("conversion", "q to p", "added"),
        Change("conversion", "p to q", "removed"),
    )
    assert refusal(rules.check_successor, CONTENT, new) == "publisher/catalogue-fixed product q"
    named = replace(new, products=(PRODUCT, replace(SECOND, name="Q")))
    assert refusal(rules.check_successor, CONTENT, named) == ""


def test_only_products_of_the_volume_channel_get_setup_keys() -> None:
    retail = replace(SECOND, channel="retail", setup_key="old")
    found = rules.with_setup_keys(replace(CONTENT, products=(PRODUCT, retail)), {"p": "K"})
    assert [one.setup_key for one in found.products] == ["K", ""]


def test_the_last_index_of_a_grant_key_is_255() -> None:
    assert rules.next_index(()) == 0
    assert rules.next_index({3, 254}) == 255
    with pytest.raises(MusterError) as caught:
        rules.next_index({255})
    assert caught.value.params == {"count": 257, "maximum": 256}


def test_trust_holds_64_working_keys() -> None:
    fresh = [TrustKey(KEYS[0], "grant", 200)]
    keys = tuple(
        TrustKey(MemorySigningKey(number.to_bytes(32, "big")).public, "grant", number, 5)
        for number in range(64)
    )
    assert len(rules.next_keys(keys[:63], fresh, 10, 10)) == 64
    with pytest.raises(MusterError) as caught:
        rules.next_keys(keys, fresh, 10, 10)
    assert caught.value.params == {"count": 65, "maximum": 64}


def test_who_speaks_for_a_grant() -> None:
    kid = KEYS[0].kid
    assert rules.accepts_signature(NEWEST, kid, 100)
    assert not rules.accepts_signature(NEWEST, KEYS[1].kid, 100)
    assert not rules.accepts_signature(trust((TrustKey(KEYS[0], "catalogue", None),)), kid, 100)
    retired = trust((TrustKey(KEYS[0], "grant", 0, until=100),))
    assert rules.accepts_signature(retired, kid, 100)
    assert not rules.accepts_signature(retired, kid, 101)


def test_of_two_keys_in_use_the_one_of_the_higher_index_signs() -> None:
    both = trust((TrustKey(KEYS[0], "grant", 1), TrustKey(KEYS[1], "grant", 2)))
    found = rules.choose_key(both, both, "grant", 100)
    assert found is not None
    assert found.index == 2
    leaving = trust((TrustKey(KEYS[0], "grant", 1), TrustKey(KEYS[1], "grant", 2, until=200)))
    found = rules.choose_key(leaving, leaving, "grant", 100)
    assert found is not None
    assert found.index == 1


def test_the_second_grant_key_signs_before_the_first() -> None:
    both = trust((TrustKey(KEYS[0], "grant", 0), TrustKey(KEYS[1], "grant", 1)))
    found = rules.choose_key(both, both, "grant", 100)
    assert found is not None
    assert found.index == 1


@pytest.mark.parametrize(
    ("activations", "released_at", "hosts", "found"),
    [
        (9, None, 6, rules.Draw(new_host=False)),
        (10, None, 1, "publisher/activations-used-up"),
        (10, 5, 5, rules.Draw(new_host=True)),
        (10, 5, 6, "publisher/hosts-used-up"),
    ],
)
def test_the_last_activation_of_a_host(
    activations: int, released_at: int | None, hosts: int, found: rules.Draw | str
) -> None:
    key = replace(HOST_KEY, hosts=hosts)
    seat = Seat(key.key_id.text, "a" * 12, activations, 0, released_at)
    if isinstance(found, str):
        with pytest.raises(MusterError) as caught:
            rules.decide_host(IID, key, seat, None, NEWEST, NOW)
        assert caught.value.code == found
    else:
        assert rules.decide_host(IID, key, seat, None, NEWEST, NOW) == found


# Pools.

MAK = replace(HOST_KEY, key_id=KeyId(Kind.MAK, 1, 7))


def drawn(**changes: object) -> MachineGrant:
    found = MachineGrant(
        key=MAK.key_id.text,
        binding="0" * 25,
        jti="A" * 22,
        day=100,
        term=0,
        kid=KEYS[0].kid,
        grant="",
        confirmation="",
        first_at=NOW,
        last_at=NOW,
    )
    return replace(found, **changes)  # type: ignore[arg-type]  # names are the test's own


@pytest.mark.parametrize(
    ("key", "grant", "refused"),
    [
        (MAK, None, ""),
        (MAK, drawn(), ""),
        (replace(MAK, revoked=3), None, "publisher/key-revoked"),
        (replace(MAK, revoked=3), drawn(), "publisher/key-revoked"),
        (MAK, drawn(revoked=99), "publisher/activation-revoked"),
        (MAK, drawn(day=70, term=1), "publisher/licence-over"),
        (MAK, drawn(day=71, term=1), ""),
        (MAK, drawn(day=40, term=2), "publisher/licence-over"),
    ],
)
def test_who_gets_the_grant_of_a_machine(
    key: IssuedKey, grant: MachineGrant | None, refused: str
) -> None:
    if refused:
        with pytest.raises(MusterError) as caught:
            rules.decide_machine(key, grant, NEWEST, NOW)
        assert caught.value.code == refused
        if refused == "publisher/licence-over":
            assert grant is not None
            assert caught.value.params["days"] == grant.term * 30
        return
    found = rules.decide_machine(key, grant, NEWEST, NOW)
    assert found == (None if grant is None else rules.MachineAgain(grant, False))
    gone = rules.decide_machine(key, grant, trust(()), NOW)
    assert gone == (None if grant is None else rules.MachineAgain(grant, True))


def test_a_host_whose_term_is_over_is_told_its_days() -> None:
    with pytest.raises(MusterError) as caught:
        rules.decide_host(IID, HOST_KEY, None, grant(day=40, term=2), NEWEST, NOW)
    assert caught.value.params["days"] == 60


@pytest.mark.parametrize("kind", Kind)
def test_only_keys_with_a_pool_activate_machines(kind: Kind) -> None:
    hw = "a" * 12 if kind is Kind.HOST else None
    iid = InstallationId(0, 1, KeyId(kind, 1, 7), "0" * 25, hw, 0)
    pooled = kind in (Kind.MAK, Kind.EVALUATION, Kind.RETAIL)
    assert refusal(rules.check_machine_request, iid, MAK) == (
        "" if pooled else "publisher/not-machine-key"
    )
    if pooled:
        assert rules.check_machine_request(iid, MAK) is MAK
        assert refusal(rules.check_machine_request, iid, None) == "publisher/unknown-key"


@pytest.mark.parametrize(
    ("kind", "pool", "term", "alerts", "found"),
    [
        (Kind.MAK, 1, 0, None, (1, (80, 95, 100))),
        (Kind.MAK, 10_000_000, 63, (), (10_000_000, ())),
        (Kind.MAK, 10_000_001, 0, None, None),
        (Kind.MAK, 0, 0, None, None),
        (Kind.MAK, None, 0, None, None),
        (Kind.MAK, 1, 64, None, None),
        (Kind.MAK, 1, -1, None, None),
        (Kind.MAK, 5, 0, (100, 1, 100), (5, (1, 100))),
        (Kind.MAK, 5, 0, (0,), None),
        (Kind.MAK, 5, 0, (101,), None),
        (Kind.MAK, 5, 0, range(1, 17), (5, tuple(range(1, 17)))),
        (Kind.MAK, 5, 0, range(1, 18), None),
        (Kind.EVALUATION, 5, 3, (), (5, ())),
        (Kind.EVALUATION, 5, 6, (), (5, ())),
        (Kind.EVALUATION, 5, 4, (), None),
        (Kind.RETAIL, None, 0, None, (1, ())),
        (Kind.RETAIL, 1, 0, (100,), (1, (100,))),
        (Kind.RETAIL, 2, 0, None, None),
        (Kind.HOST, 5, 0, None, None),
    ],
)
def test_which_pools_there_are(
    kind: Kind,
    pool: int | None,
    term: int,
    alerts: Sequence[int] | None,
    found: tuple[int, tuple[int, ...]] | None,
) -> None:
    if found is None:
        assert refusal(rules.check_pool, kind, pool, term, alerts).startswith("publisher/pool ")
    else:
        assert rules.check_pool(kind, pool, term, alerts) == found


def test_what_staff_may_give_back() -> None:
    assert [rules.correction_limit(pool) for pool in (1, 9, 19, 20, 1000)] == [1, 1, 1, 2, 100]


def test_levels_count_what_was_given_back_as_part_of_the_pool() -> None:
    key = replace(MAK, pool=90, corrected=10, alerts=(80, 95, 100))
    assert rules.reached(replace(key, drawn=79)) == ()
    assert rules.reached(replace(key, drawn=80)) == (80,)
    assert rules.reached(replace(key, drawn=100)) == (80, 95, 100)
    assert rules.crossed(replace(key, drawn=80), replace(key, drawn=95)) == (95,)
    large = replace(MAK, pool=10_000, alerts=(95,))
    assert rules.reached(replace(large, drawn=9_499)) == ()
    assert rules.reached(replace(large, drawn=9_500)) == (95,)
