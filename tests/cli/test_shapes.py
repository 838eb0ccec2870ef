"""The published shapes: every command has one, and none is stale."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click
import jsonschema
import pytest
from tests.cli import printed

from muster.cli import shapes
from muster.cli.main import muster
from muster.core.catalogue import error
from muster.core.records import encode, error_record
from muster.host.results import PublisherRemoval


def commands(group: click.Group, before: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        inner = group.get_command(context, name)
        assert inner is not None
        if isinstance(inner, click.Group):
            yield from commands(inner, f"{before}{name} ")
        elif not inner.hidden:
            yield before + name


def test_every_command_has_a_shape() -> None:
    assert sorted(shapes.SHAPES) == sorted(commands(muster))


def test_what_is_published_is_current_and_nothing_else() -> None:
    files = shapes.schemas()
    assert {f"schemas/{path.name}" for path in (printed.DOCS / "schemas").iterdir()} == set(files)
    for name, text in files.items():
        assert (printed.DOCS / name).read_text("utf-8") == text
        jsonschema.Draft202012Validator.check_schema(json.loads(text))
    ids = [json.loads(text)["$id"] for text in files.values()]
    assert len(set(ids)) == len(ids)


def test_every_record_says_what_it_is() -> None:
    every = (*shapes.SHAPES.values(), *shapes.ANSWERS.values())
    records = {record for shape in every for record in shape.records}
    silent = [one.__name__ for one in records if (one.__doc__ or "(").startswith(one.__name__)]
    assert silent == []


def test_a_member_more_or_less_or_of_another_kind_is_noticed() -> None:
    words = ("host", "remove-publisher", "contoso", "--json")
    good = encode(PublisherRemoval(changed=True, publisher="a" * 16))
    assert printed.judge(words, json.dumps(good)) == "host remove-publisher"
    for bad in ({**good, "more": 1}, {"changed": True}, {**good, "changed": "yes"}):
        with pytest.raises(jsonschema.ValidationError):
            printed.judge(words, json.dumps(bad))


def test_a_refusal_has_one_shape_for_all_commands() -> None:
    refused = {"error": encode(error_record(error("net/refused", peer="kms1")))}
    assert printed.judge(("demo", "--json"), json.dumps(refused)) == "error"
    with pytest.raises(jsonschema.ValidationError):
        printed.judge(("demo",), json.dumps({"error": {"code": "net/refused"}}))


def members() -> Iterator[tuple[str, str, str]]:
    """Command, member and description of every member of every record that is printed."""
    for command in (*shapes.SHAPES, *map(shapes.answer_of, shapes.ANSWERS)):
        for record in json.loads(json.dumps(shapes.schema_of(command)))["$defs"].values():
            for name, value in record["properties"].items():
                for one in (value, *value.get("anyOf", ())):
                    yield command, name, one.get("description", "")


def test_the_same_thing_has_the_same_name_in_every_wing() -> None:
    """Ids are called as people call them, not as a column or a claim is."""
    found = {name for _, name, _ in members()}
    assert not found & {"jti", "hw", "iat", "exp", "issued", "expires", "revoked"}
    assert {"grant", "hardware", "issued_at", "expires_at"} <= found


def test_an_instant_is_called_one() -> None:
    ends = re.compile(r"(\w+_)?(at|time|since|until|seen|contact|attempt|mark)|old")
    instants = {name for _, name, said in members() if said == "Unix seconds"}
    assert len(instants) > 20
    assert [name for name in sorted(instants) if not ends.fullmatch(name)] == []
