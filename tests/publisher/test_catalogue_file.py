"""The catalogue file: the sample, every mistake by its place, and any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.publisher import rules
from muster.publisher.catalogue_file import (
    FILE_LIMIT,
    parse_catalogue_file,
    sample,
)

SMALL = """
[[applications]]
id = "a"
name = "A"
[[groups]]
number = 1
id = "g"
[[products]]
id = "p"
application = "a"
group = "g"
need = 5
name = "P"
"""


def test_the_sample_is_publisher_contoso() -> None:
    draft = parse_catalogue_file(sample())
    assert (draft.label, draft.name) == ("contoso", "Contoso")
    rules.check_content(draft.content)
    products = {one.id: one for one in draft.content.products}
    assert {name: one.need for name, one in products.items()} == {
        "contoso-desktop-7-professional": 25,
        "contoso-desktop-7-enterprise": 25,
        "contoso-server-2008-standard": 5,
        "contoso-server-2008-enterprise": 5,
        "contoso-server-2008-datacenter": 5,
        "contoso-office-2010": 5,
        "contoso-project-2010": 5,
        "contoso-visio-2010": 5,
    }
    desktop = products["contoso-desktop-7-professional"]
    assert desktop.application == products["contoso-server-2008-datacenter"].application
    assert desktop.application != products["contoso-office-2010"].application
    assert desktop.spans.lease == 180 * DAY
    covers = {one.id: one.covers for one in draft.content.groups}
    assert covers["server-c"] == ("client-volume", "server-b", "server-c")
    assert covers["server-b"] == ("client-volume", "server-b")
    assert covers["office-2010"] == ("office-2010",)


def test_defaults() -> None:
    content = parse_catalogue_file(SMALL.encode()).content
    (product,), (group,) = content.products, content.groups
    assert group.covers == ("g",)
    assert group.terms == "none"
    assert product.identity == ("machine", "device", "node")
    assert (product.channel, product.edition, product.setup_key) == ("volume", "", "")
    assert group.max_lease == 180 * DAY
    spans = product.spans
    assert (spans.lease, spans.renew_after, spans.retry_after) == (180 * DAY, 7 * DAY, 120 * 60)
    assert (spans.initial_grace, spans.tolerance_grace) == (30 * DAY, 30 * DAY)
    rules.check_content(content)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("need = 5", "", "products[p].need"),
        ("need = 5", "need = 0", "products[p].need"),
        ("need = 5", "need = true", "products[p].need"),
        ("need = 5", "need = 5.0", "products[p].need"),
        ("need = 5", "need = 5\nneeds = 6", "products[p].needs"),
        ('name = "P"', 'name = ""', "products[p].name"),
        ('name = "P"', 'name = "a\\u202eb"', "products[p].name"),
        ('id = "p"', 'id = "P"', "products[1].id"),
        ('id = "p"', 'id = "p\\"}{"', "products[1].id"),
        ('id = "g"', 'id = "g"\ncovers = "g"', "groups[g].covers"),
        ('id = "g"', 'id = "g"\ncovers = ["x", "x"]', "groups[g].covers"),
        ('id = "g"', 'id = "g"\nmax_lease = 180', "groups[g].max_lease"),
        ('id = "g"', 'id = "g"\nmax_lease = "180 days"', "groups[g].max_lease"),
        ('id = "g"', 'id = "g"\nterms = "some"', "groups[g].terms"),
        ("number = 1", "number = 1024", "groups[g].number"),
        ('name = "P"', 'name = "P"\nidentity = []', "products[p].identity"),
        ('name = "P"', 'name = "P"\nidentity = ["agent"]', "products[p].identity"),
        ('name = "P"', 'name = "P"\nspans = 3', "products[p].spans"),
        ('name = "P"', 'name = "P"\nspans = {lease = "x"}', "products[p].spans.lease"),
        ('name = "P"', 'name = "P"\nspans = {leese = "1d"}', "products[p].spans.leese"),
        ("[[groups]]", "[[group]]", "group"),
        ("[[applications]]", "[applications]", "applications"),
        ('id = "a"', "id = {}", "applications[1].id"),
    ],
)
def test_each_mistake_is_named_by_its_place(old: str, new: str, where: str) -> None:
    assert old in SMALL
    with pytest.raises(MusterError) as caught:
        parse_catalogue_file(SMALL.replace(old, new, 1).encode())
    assert caught.value.code == "publisher/catalogue-file"
    assert caught.value.params["where"] == where


@pytest.mark.parametrize(
    ("addition", "where"),
    [
        ('[[groups]]\nnumber = 1\nid = "h"', "groups"),
        ('[[groups]]\nnumber = 2\nid = "g"', "groups"),
        ('[[groups]]\nnumber = 2\nid = "h"\ncovers = ["nobody"]', "groups[h].covers"),
        (
            '[[groups]]\nnumber = 2\nid = "h"\ncovers = ["g"]\nmax_lease = "1d"',
            "products[p].spans.lease",
        ),
        ('[[applications]]\nid = "a"\nname = "again"', "applications"),
        (
            '[[products]]\nid = "q"\napplication = "b"\ngroup = "g"\nneed = 1\nname = "Q"',
            "products[q].application",
        ),
        (
            '[[products]]\nid = "q"\napplication = "a"\ngroup = "h"\nneed = 1\nname = "Q"',
            "products[q].group",
        ),
        (
            '[[products]]\nid = "q"\napplication = "a"\ngroup = "g"\nneed = 1\nname = "Q"\n'
            'spans = {retry_after = "14m"}',
            "products[q].spans.retry_after",
        ),
        (
            '[[products]]\nid = "q"\napplication = "a"\ngroup = "g"\nneed = 1\nname = "Q"\n'
            'spans = {lease = "2d"}',
            "products[q].spans.renew_after",
        ),
        (
            '[[conversions]]\nsource = "p"\ntarget = "q"\nrule = "allowed"',
            "conversions[p to q]",
        ),
        (
            '[[conversions]]\nsource = "p"\ntarget = "p"\nrule = "allowed"',
            "conversions[p to p]",
        ),
    ],
)
def test_contents_that_would_license_nobody_are_refused(addition: str, where: str) -> None:
    content = parse_catalogue_file((SMALL + addition).encode()).content
    with pytest.raises(MusterError) as caught:
        rules.check_content(content)
    assert caught.value.code == "publisher/catalogue-file"
    assert caught.value.params["where"] == where


def test_too_long_and_not_text() -> None:
    for data in (b"#" * (FILE_LIMIT + 1), b"\xff\xfe", b"[[[[", b"a=" + b"[" * 5000):
        with pytest.raises(MusterError) as caught:
            parse_catalogue_file(data)
        assert caught.value.code == "publisher/catalogue-file"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_draft_or_the_one_error(data: bytes) -> None:
    try:
        parse_catalogue_file(data)
    except MusterError as fault:
        assert fault.code == "publisher/catalogue-file"
        assert fault.what
        assert fault.fix
