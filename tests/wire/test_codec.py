"""Any bytes give a value or the documented error, whoever reads them (docs/spec/08-http.md)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.messages import CLIENT, KEY, READERS, REQUEST

from muster.core.errors import MusterError
from muster.wire import activation, codec

HOSTILE = ['"', "{", "}", "{0}", "{fix}", "%s", "\\", "'; DROP TABLE machine; --", "<script>", "\n"]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "member",
    [
        "publisher",
        "product",
        "cmid",
        "key",
        "nonce",
        "line",
        "identity",
        "fingerprint",
        "state",
        "v",
        "proof",
    ],
)
def test_hostile_text_in_every_member_is_refused(member: str, hostile: str) -> None:
    body: dict[str, Any] = json.loads(REQUEST.body)
    body[member] = [hostile] if member == "fingerprint" else hostile
    with pytest.raises(MusterError) as caught:
        activation.decode_request(json.dumps(body).encode())
    assert caught.value.code == "wire/bad-request"
    assert member in caught.value.what


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_give_a_value_or_the_documented_error(data: bytes) -> None:
    for read in READERS:
        try:
            read(data)
        except MusterError as fault:
            assert fault.what
            assert fault.fix


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)

_MEMBERS = st.sampled_from(
    [*json.loads(REQUEST.body), "lease", "grant", "signer", "count", "need", "trust",
     "catalogue", "secret", "installation_id", "confirmation_id", "terms", "file", "url", "anchor",
     "publishers", "grants", "code", "title", "detail", "why", "fix", "retry", "params", "notice",
     "installation_ids", "answers", "what", "why"]
)  # fmt: skip


@given(st.dictionaries(_MEMBERS, _JSON))
def test_any_object_of_known_members_gives_a_value_or_the_documented_error(
    value: dict[str, Any],
) -> None:
    data = json.dumps(value).encode()
    for read in READERS:
        try:
            read(data)
        except MusterError as fault:
            assert fault.what


@given(st.text(max_size=200))
def test_whatever_a_system_calls_itself_can_be_sent_or_is_left_out(text: str) -> None:
    """A machine is never refused for what its administrator named it."""
    name = codec.name_for_people(text)
    assert len(name) <= 64
    assert codec.name_for_people(name) == name
    client = replace(CLIENT, name=name)
    assert (
        activation.decode_request(replace(REQUEST, client=client).prove(KEY).body).client.name
        == name
    )
    assert codec.name_for_people("pc\udcff-1\x00") == "pc-1"


def test_a_fault_names_the_path_of_the_member_and_nothing_else_travels() -> None:
    """Messages and signed objects have one reader; the row of messages takes the path as text."""
    body: dict[str, Any] = json.loads(REQUEST.body)
    body["client"]["os"] = "\n"
    with pytest.raises(MusterError) as caught:
        activation.decode_request(json.dumps(body).encode())
    assert caught.value.params == {"detail": "message.client.os: not of its grammar"}


@pytest.mark.parametrize("value", [None, 0, 1, "true", [], {}])
def test_only_true_and_false_are_flags(value: object) -> None:
    message = codec.reader_of({"good": False, "bad": value})
    assert message.flag("good") is False
    with pytest.raises(MusterError):
        message.flag("bad")
