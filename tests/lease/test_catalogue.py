"""docs/spec/03-trust-and-catalogue.md, sections 3.5 to 3.8."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.lease.trees import tree

from muster.core.errors import MusterError
from muster.core.keys import Kind, make_product_key, parse_product_key
from muster.core.products import (
    DAY,
    Application,
    Conversion,
    KeyGroup,
    Product,
    Revocation,
    day_of,
    day_start,
)
from muster.lease import strict
from muster.lease.catalogue import (
    accept_catalogue,
    conversion_to_dict,
    group_from_dict,
    group_to_dict,
    product_from_dict,
    product_to_dict,
    read_catalogue,
    revocation_to_dict,
    still_valid,
)
from muster.lease.descriptor import make_descriptor, read_descriptor, with_url
from muster.lease.jws import CATALOGUE_TYP, GRANT_TYP, MemorySigningKey, parse, sign
from muster.lease.trust import TrustKey, anchor, follow

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

KeyOf = Callable[[str], MemorySigningKey]
JTI = "AAAAAAAAAAAAAAAAAAAAAA"


def code_of(call: Callable[..., object], *args: object) -> str:
    """The code that the call raises."""
    with pytest.raises(MusterError) as caught:
        call(*args)
    return caught.value.code


def test_what_is_written_is_read_back(maker: Maker) -> None:
    retail = replace(
        maker.product,
        id="contoso-office-2010",
        group="contoso-office",
        application="contoso-office",
        name="Contoso Büro “2010”",
        edition="",
        channel="retail",
        identity=("device",),
        features=(),
        setup_key="",
    )
    applications = (
        Application("contoso-desktop", "Contoso desktops and servers"),
        Application("contoso-office", "Contoso office"),
    )
    conversions = (
        Conversion("a", "b", "allowed", ""),
        Conversion("b", "a", "unsupported", "Install again"),
    )
    revocations = (Revocation(JTI, None, 3), Revocation(None, "1-3-77", 0))
    text = maker.sign_catalogue(
        version=12,
        applications=applications,
        products=(maker.product, retail),
        conversions=conversions,
        revocations=revocations,
    )
    found = read_catalogue(text, maker.trust)
    assert (found.version, found.issuer, found.text) == (12, maker.publisher, text)
    assert found.kid == maker.catalogue_key.public.kid
    assert found.groups == maker.groups
    assert found.applications == applications
    assert found.products == (maker.product, retail)
    assert found.conversions == conversions
    assert found.revocations == revocations
    assert found.product(retail.id) == retail
    assert found.group("contoso-office") == maker.office
    assert found.group_numbered(7) == maker.server
    assert code_of(found.product, "contoso-office-2007") == "catalogue/product"
    assert code_of(found.group, "x") == "catalogue/group"
    assert code_of(found.group_numbered, 8) == "catalogue/group"


def test_revocations(maker: Maker) -> None:
    other = "AAAAAAAAAAAAAAAAAAAAAQ"
    found = maker.catalogue(
        Revocation(JTI, None, 30), Revocation(JTI, None, 20), Revocation(None, "0-7-4711", 10)
    )
    assert found.revoked(JTI, "1-1-1") == 20
    assert found.revoked(other, "0-7-4711") == 10
    assert found.revoked(JTI, "0-7-4711") == 10
    assert found.revoked(other, "1-1-1") is None
    assert found.revoked("0-7-4711", JTI) is None


def test_who_signed_it(maker: Maker, keys: KeyOf) -> None:
    read_it = maker.sign_catalogue()
    for signer in (maker.grant_key, maker.working, maker.reserve, maker.stranger):
        payload = tree(parse(read_it, strict.CATALOGUE).payload)
        text = sign(payload, CATALOGUE_TYP, signer)
        assert code_of(read_catalogue, text, maker.trust) == "catalogue/signer"
    head, body, signature = read_it.split(".")
    other = maker.sign_catalogue(version=2).split(".")[1]
    assert code_of(read_catalogue, f"{head}.{other}.{signature}", maker.trust) == "catalogue/signer"
    assert code_of(read_catalogue, f"{head}.{body}", maker.trust) == "licence/malformed"
    grant = sign(tree(parse(read_it, strict.CATALOGUE).payload), GRANT_TYP, maker.catalogue_key)
    assert code_of(read_catalogue, grant, maker.trust) == "licence/header"


def test_of_another_publisher(maker: Maker) -> None:
    payload = tree(parse(maker.sign_catalogue(), strict.CATALOGUE).payload) | {"iss": "b" * 16}
    text = sign(payload, CATALOGUE_TYP, maker.catalogue_key)
    assert code_of(read_catalogue, text, maker.trust) == "catalogue/publisher"


def test_of_a_later_format(maker: Maker) -> None:
    payload = tree(parse(maker.sign_catalogue(), strict.CATALOGUE).payload)
    payload["muster"] = {"v": 2}
    text = sign(payload, CATALOGUE_TYP, maker.catalogue_key)
    assert code_of(read_catalogue, text, maker.trust) == "licence/version"
    text = sign(payload, CATALOGUE_TYP, maker.stranger)
    assert code_of(read_catalogue, text, maker.trust) == "catalogue/signer"


GROUP = {"number": 3, "id": "g", "covers": ["g"], "max_lease": 1, "terms": "none"}


@pytest.mark.parametrize(
    "change",
    [
        {"iss": ...},
        {"iss": "x"},
        {"version": ...},
        {"version": 0},
        {"groups": ...},
        {"groups": {}},
        {"groups": []},
        {"groups": [GROUP, GROUP]},
        {"groups": [1]},
        {"groups": [GROUP | {"number": 1024}]},
        {"groups": [GROUP | {"number": "3"}]},
        {"groups": [GROUP | {"id": "G"}]},
        {"groups": [GROUP | {"id": ""}]},
        {"groups": [GROUP | {"id": "a" * 65}]},
        {"groups": [GROUP | {"covers": []}]},
        {"groups": [GROUP | {"covers": ["h"]}]},
        {"groups": [GROUP | {"covers": ["h", "g"]}]},
        {"groups": [GROUP | {"covers": ["g", "g"]}]},
        {"groups": [GROUP | {"covers": "g"}]},
        {"groups": [GROUP | {"covers": [f"g{n:02}" for n in range(17)]}]},
        {"groups": [GROUP | {"max_lease": 0}]},
        {"groups": [GROUP | {"terms": "maybe"}]},
        {"groups": [GROUP | {"terms": True}]},
        {"applications": ...},
        {"applications": []},
        {"applications": [{"id": "contoso-desktop"}]},
        {"applications": [{"id": "contoso-desktop", "name": "\x07"}]},
        {"applications": [{"id": "contoso-desktop", "name": "a"}] * 2},
        {"products": ...},
        {"products": [{}]},
        {"products": "all"},
        {"conversions": ...},
        {"conversions": [{"source": "a", "target": "b", "rule": "maybe", "way": ""}]},
        {"conversions": [{"source": "a", "target": "b", "rule": "allowed"}]},
        {"conversions": [{"source": "A", "target": "b", "rule": "allowed", "way": ""}]},
        {"conversions": [{"source": "a", "target": "b", "rule": "allowed", "way": "a\nb"}]},
        {"revocations": ...},
        {"revocations": [{"at": 1}]},
        {"revocations": [{"jti": JTI}]},
        {"revocations": [{"jti": JTI, "key": "0-7-4711", "at": 1}]},
        {"revocations": [{"jti": JTI, "at": "1"}]},
        {"revocations": [{"jti": JTI, "at": 65536}]},
        {"revocations": [{"jti": JTI[:-1] + "B", "at": 1}]},
        {"revocations": [{"jti": None, "key": "0-7-4711", "at": 1}]},
        {"revocations": [{"key": "5-7-4711", "at": 1}]},
        {"revocations": [{"key": "0-07-4711", "at": 1}]},
        {"revocations": [{"key": "0-1024-4711", "at": 1}]},
        {"revocations": [{"key": "0-7-16777216", "at": 1}]},
        {"muster": ...},
        {"muster": 1},
    ],
    ids=repr,
)
def test_claims(maker: Maker, change: dict[str, Any]) -> None:
    payload = tree(parse(maker.sign_catalogue(), strict.CATALOGUE).payload)
    for name, value in change.items():
        place = payload if name in payload else payload["muster"]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    text = sign(payload, CATALOGUE_TYP, maker.catalogue_key)
    assert code_of(read_catalogue, text, maker.trust) == "catalogue/claims"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "A"},
        {"id": None},
        {"application": "unknown"},
        {"application": 1},
        {"group": "unknown"},
        {"need": 0},
        {"need": "25"},
        {"need": True},
        {"name": ""},
        {"name": "x" * 201},
        {"edition": "\u202e"},
        {"channel": "oem"},
        {"spans": {}},
        {"spans": None},
        {"spans": {"lease": 0}},
        {"identity": []},
        {"identity": ["machine", "machine"]},
        {"identity": ["dongle"]},
        {"identity": "machine"},
        {"features": ["A"]},
        {"features": ["a", "a"]},
        {"features": None},
        {"setup_key": None},
        {"setup_key": "BCDFG"},
        {"setup_key": "BBBBB-BBBBB-BBBBB-BBBBB-BBBBB"},
    ],
    ids=repr,
)
def test_products(maker: Maker, change: dict[str, Any]) -> None:
    payload = tree(parse(maker.sign_catalogue(), strict.CATALOGUE).payload)
    product = payload["muster"]["products"][0]
    for name, value in change.items():
        product[name] = value
    text = sign(payload, CATALOGUE_TYP, maker.catalogue_key)
    assert code_of(read_catalogue, text, maker.trust) == "catalogue/claims"
    for name in list(product):
        broken = {key: value for key, value in product.items() if key != name}
        assert code_of(product_from_dict, broken) == "catalogue/claims"


def test_the_setup_key_is_one_in_its_printed_form(maker: Maker) -> None:
    good = maker.product.setup_key
    for bad in (good.lower(), good.replace("-", ""), f" {good}"):
        value = tree(product_to_dict(maker.product)) | {"setup_key": bad}
        assert code_of(product_from_dict, value) == "catalogue/claims"
    for kind in (Kind.HOST, Kind.MAK, Kind.RETAIL, Kind.EVALUATION):
        key = make_product_key(b"t" * 32, kind, 1, 3, 5)
        value = tree(product_to_dict(maker.product)) | {"setup_key": key.text}
        assert code_of(product_from_dict, value) == "catalogue/claims"


def test_spans(maker: Maker) -> None:
    for name in ("lease", "renew_after", "retry_after", "initial_grace", "tolerance_grace"):
        for bad in ("1", None, 2**31, True):
            value = tree(product_to_dict(maker.product))
            value["spans"] = value["spans"] | {name: bad}
            assert code_of(product_from_dict, value) == "catalogue/claims"


LONGEST = 2**31 - 1
EDGES = [
    ("need", 1, LONGEST),
    ("lease", 1, LONGEST),
    ("renew_after", 1, LONGEST),
    ("retry_after", 1, LONGEST),
    ("initial_grace", 0, LONGEST),
    ("tolerance_grace", 0, LONGEST),
]


@pytest.mark.parametrize(("name", "low", "high"), EDGES)
def test_numbers_of_products_at_their_edges(maker: Maker, name: str, low: int, high: int) -> None:
    for number in (low, high, low - 1, high + 1):
        value = tree(product_to_dict(maker.product))
        (value if name in value else value["spans"])[name] = number
        if low <= number <= high:
            assert product_to_dict(product_from_dict(value)) == value
        else:
            assert code_of(product_from_dict, value) == "catalogue/claims"


@pytest.mark.parametrize(("name", "low", "high"), [("number", 0, 1023), ("max_lease", 1, LONGEST)])
def test_numbers_of_groups_at_their_edges(maker: Maker, name: str, low: int, high: int) -> None:
    for number in (low, high):
        value = GROUP | {name: number}
        assert group_to_dict(group_from_dict(value)) == value
    for number in (low - 1, high + 1):
        assert code_of(group_from_dict, GROUP | {name: number}) == "catalogue/claims"


def test_features_are_at_most_256(maker: Maker) -> None:
    names = [f"feature-{number}" for number in range(257)]
    good = tree(product_to_dict(maker.product)) | {"features": names[:256]}
    assert len(product_from_dict(good).features) == 256
    assert code_of(product_from_dict, good | {"features": names}) == "catalogue/claims"


def test_revocations_at_their_edges(maker: Maker) -> None:
    found = maker.catalogue(Revocation(JTI, None, 0), Revocation(None, "0-7-4711", 65_535))
    assert (found.revoked(JTI, ""), found.revoked("", "0-7-4711")) == (0, 65_535)


def test_a_product_is_revoked_by_the_key_id_of_its_setup_key(maker: Maker) -> None:
    key = parse_product_key(maker.product.setup_key).key_id
    elsewhere = make_product_key(b"t" * 32, Kind.SETUP, 1, 3, 99)
    found = maker.catalogue(
        Revocation(None, key.text, 7), Revocation(None, elsewhere.key_id.text, 9)
    )
    assert found.product_revoked(maker.product) == 7
    assert found.product_revoked(replace(maker.product, setup_key=elsewhere.text)) == 9
    assert found.product_revoked(replace(maker.product, setup_key="")) is None
    other = make_product_key(b"t" * 32, Kind.SETUP, 1, 3, 100)
    assert found.product_revoked(replace(maker.product, setup_key=other.text)) is None
    assert maker.catalogue().product_revoked(maker.product) is None


def test_a_setup_key_belongs_to_one_product(maker: Maker) -> None:
    twin = replace(maker.product, id="contoso-desktop-8")
    assert code_of(lambda: maker.sign_catalogue(products=(maker.product, twin))) == (
        "catalogue/claims"
    )
    bare = [replace(maker.product, id=f"free-{n}", setup_key="") for n in range(2)]
    found = read_catalogue(maker.sign_catalogue(products=bare), maker.trust)
    assert (len(found.products), found.setup_ids) == (2, {})


def test_products_once_each(maker: Maker) -> None:
    for change in (
        {"products": (maker.product, replace(maker.product, setup_key=""))},
        {"groups": (*maker.groups, KeyGroup(3, "other", ("other",), 1))},
        {"groups": (*maker.groups, KeyGroup(4, "contoso-office", ("contoso-office",), 1))},
    ):
        with pytest.raises(MusterError) as caught:
            maker.sign_catalogue(**change)
        assert caught.value.code == "catalogue/claims"


def test_records_round_trip(maker: Maker) -> None:
    assert product_from_dict(product_to_dict(maker.product)) == maker.product
    for group in maker.groups:
        assert group_from_dict(group_to_dict(group)) == group
    assert revocation_to_dict(Revocation(None, "1-2-3", 4)) == {"key": "1-2-3", "at": 4}
    assert revocation_to_dict(Revocation(JTI, None, 4)) == {"jti": JTI, "at": 4}
    assert conversion_to_dict(Conversion("a", "b", "refused", "w"))["rule"] == "refused"


def test_what_is_indexed_is_no_part_of_what_a_catalogue_says(maker: Maker) -> None:
    found = maker.catalogue(Revocation(JTI, None, 4))
    said = {one.name for one in fields(found) if not one.name.startswith("_")} - {"setup_ids"}
    assert set(re.findall(r"(?:^Catalogue\(|, )(\w+)=", shown_alone(repr(found)))) == said
    assert replace(found, setup_ids={}) == found


def shown_alone(shown: str) -> str:
    """The text of a record without those inside it."""
    depth, kept = 0, ""
    for character in shown:
        depth -= character in ")]}"
        kept += character if depth <= 1 else ""
        depth += character in "([{"
    return kept


def test_unknown_members_are_ignored(maker: Maker) -> None:
    payload = tree(parse(maker.sign_catalogue(), strict.CATALOGUE).payload)
    payload["muster"]["prices"] = [{"eur": 5}]
    payload["muster"]["products"][0]["colour"] = "blue"
    payload["sub"] = "something"
    text = sign(payload, CATALOGUE_TYP, maker.catalogue_key)
    assert read_catalogue(text, maker.trust).products == (maker.product,)


# The highest version counts (3.7).


def test_only_a_newer_one_is_taken(maker: Maker) -> None:
    second = accept_catalogue(None, maker.sign_catalogue(version=2), maker.trust)
    assert accept_catalogue(second, second.text, maker.trust) is second
    third = accept_catalogue(second, maker.sign_catalogue(version=3), maker.trust)
    assert third.version == 3
    older = maker.sign_catalogue(version=1)
    assert code_of(accept_catalogue, second, older, maker.trust) == "catalogue/older"
    twin = maker.sign_catalogue(version=2, iat=day_start(1))
    assert code_of(accept_catalogue, second, twin, maker.trust) == "catalogue/older"
    assert code_of(accept_catalogue, second, "rubbish", maker.trust) == "licence/malformed"


def test_a_withdrawn_key_takes_its_catalogue_and_mark_along(maker: Maker, keys: KeyOf) -> None:
    """Fast-forward: the thief of the catalogue key signs the last version that there is."""
    evil = read_catalogue(maker.sign_catalogue(version=2**53 - 1), maker.trust)
    honest_key = keys("catalogue 2")
    new = follow(
        maker.trust,
        maker.sign_trust(version=2, keys=[TrustKey(honest_key.public, "catalogue"), maker.keys[1]]),
    )
    assert still_valid(evil, maker.trust)
    assert not still_valid(evil, new)
    honest = maker.sign_catalogue(honest_key, trust=new, version=7)
    assert code_of(read_catalogue, evil.text, new) == "catalogue/signer"
    assert accept_catalogue(evil, honest, new).version == 7


def test_a_retired_key_keeps_what_it_signed_up_to_the_day(maker: Maker, keys: KeyOf) -> None:
    held = read_catalogue(maker.sign_catalogue(iat=day_start(100) + DAY - 1), maker.trust)
    assert day_of(held.iat) == 100

    def retired(until: int) -> Any:
        entry = TrustKey(maker.catalogue_key.public, "catalogue", until=until)
        return follow(maker.trust, maker.sign_trust(version=2, keys=[entry]))

    assert still_valid(held, retired(100))
    assert read_catalogue(held.text, retired(100)) == held
    assert not still_valid(held, retired(99))
    assert code_of(read_catalogue, held.text, retired(99)) == "catalogue/signer"


def test_a_catalogue_of_another_publisher_is_never_valid(maker: Maker, keys: KeyOf) -> None:
    from muster.core.identity import publisher_id

    root = keys("other root")
    other = anchor(
        maker.sign_trust(
            root, issuer=publisher_id(root.public.raw), roots=(root.public, maker.roots[1])
        )
    )
    assert not still_valid(maker.catalogue(), other)


def test_a_catalogue_of_a_thousand_products(maker: Maker) -> None:
    products = tuple(
        replace(maker.product, id=f"product-{number}", name=f"Product {number}", setup_key="")
        for number in range(1000)
    )
    revocations = tuple(Revocation(None, f"1-3-{number}", 5) for number in range(5000))
    found = read_catalogue(
        maker.sign_catalogue(products=products, revocations=revocations), maker.trust
    )
    assert found.product("product-999").name == "Product 999"
    assert found.revoked(JTI, "1-3-4999") == 5


# Descriptor (3.8).


def descriptor_with(maker: Maker, **change: Any) -> bytes:
    """A descriptor with replaced members."""
    value = strict.read(
        make_descriptor(maker.trust_text, maker.product, maker.groups), strict.DESCRIPTOR
    )
    return strict.canonical({key: val for key, val in (value | change).items() if val is not ...})


def test_descriptor(maker: Maker) -> None:
    found = read_descriptor(make_descriptor(maker.trust_text, maker.product, maker.groups))
    assert found.publisher == maker.publisher
    assert found.product == maker.product
    assert found.groups == (maker.server, maker.desktop), "office does not cover desktops"
    assert found.group("contoso-server") == maker.server
    assert found.group_numbered(3) == maker.desktop
    assert code_of(found.group, "contoso-office") == "descriptor/group"
    assert code_of(found.group_numbered, 9) == "descriptor/group"


def test_descriptor_that_is_not_whole(maker: Maker) -> None:
    server, desktop, office = (tree(group_to_dict(group)) for group in maker.groups)
    product = tree(product_to_dict(maker.product))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"v": 2}, "licence/version"),
        ({"v": ...}, "descriptor/claims"),
        ({"trust": ...}, "descriptor/claims"),
        ({"trust": 1}, "descriptor/claims"),
        ({"trust": "a.b.c"}, "licence/malformed"),
        ({"trust": maker.sign_trust(maker.stranger)}, "trust/root"),
        ({"product": ...}, "descriptor/claims"),
        ({"product": product | {"need": 0}}, "descriptor/claims"),
        ({"groups": ...}, "descriptor/claims"),
        ({"groups": []}, "descriptor/claims"),
        ({"groups": [server]}, "descriptor/claims"),
        ({"groups": [server, desktop, office]}, "descriptor/claims"),
        ({"groups": [server, desktop, desktop]}, "descriptor/claims"),
        ({"groups": [server | {"number": 3}, desktop]}, "descriptor/claims"),
    ]
    for change, code in cases:
        assert code_of(read_descriptor, descriptor_with(maker, **change)) == code
    assert code_of(read_descriptor, b"") == "licence/malformed"
    assert code_of(read_descriptor, b"{" * 65_537) == "licence/malformed"
    assert read_descriptor(descriptor_with(maker, comment="ours")) == maker.descriptor


def test_make_descriptor_refuses_a_product_without_its_group(maker: Maker) -> None:
    product: Product = replace(maker.product, group="elsewhere")
    assert code_of(make_descriptor, maker.trust_text, product, maker.groups) == "descriptor/claims"


def test_where_the_service_listens(maker: Maker) -> None:
    bare = make_descriptor(maker.trust_text, maker.product, maker.groups)
    assert read_descriptor(bare).url == ""
    url = "https://" + "a" * 200
    whole = with_url(bare, url)
    assert whole == make_descriptor(maker.trust_text, maker.product, maker.groups, url)
    assert read_descriptor(whole).url == url
    for bad in ("", "example.com", "http://", "ftp://a", "http://a b", "http://é", url + "a"):
        assert code_of(with_url, bare, bad) == "descriptor/claims"
        assert code_of(read_descriptor, descriptor_with(maker, url=bad)) == "descriptor/claims"
