"""What the agent answers: everybody may look and ask, root alone changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.agent.conftest import PRODUCT, Machine
from tests.cli import printed

from muster.cli import shapes
from muster.client import look
from muster.core.records import encode
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire import agent as wire

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("agent-api")]


def refused(answer: tuple[int, dict[str, Any]], status: int, code: str) -> None:
    assert (answer[0], answer[1]["code"]) == (status, code), answer
    assert answer[1]["fix"]


def test_status_is_what_the_command_prints(licensed: Machine) -> None:
    status, told = licensed.ask("GET", "/v1/status")
    listing: Any = encode(look.status_list(licensed.parts))
    assert status == 200
    (one,), (other,), again = told["products"], listing["products"], licensed.product()
    for product in (one, other, again):
        assert product.pop("trusted_time")  # the clock goes on meanwhile
    assert one == other == again


def test_the_callers_own_descriptor_decides(licensed: Machine) -> None:
    status, told = licensed.ask("POST", "/v1/verify", licensed.descriptor)
    assert (status, told["licensed"], told["kind"]) == (200, True, "lease")
    # Another vendor's descriptor of a product of the same name.
    stranger = TinyPublisher("stranger", now=licensed.parts.clock.now()).descriptor(PRODUCT)
    status, told = licensed.ask("POST", "/v1/verify", stranger)
    assert (status, told["licensed"], told["why"]["code"]) == (200, False, "client/not-added")
    refused(licensed.ask("POST", "/v1/verify", b"{}"), 400, "descriptor/claims")


def test_evidence_verifies_without_the_agent(licensed: Machine) -> None:
    status, told = licensed.ask("GET", f"/v1/products/{licensed.name}/evidence")
    assert status == 200
    assert told["identity"] == "machine"
    assert told["fingerprint"] == sorted(told["fingerprint"])
    assert told["licence"] == look.licence(licensed.parts).licence


def test_nobody_changes_anything_at_the_socket_for_everybody(licensed: Machine) -> None:
    before = licensed.ask("GET", "/v1/status")[1]["products"]
    for route in wire.CHANGES:
        path = route.path.format(publisher=licensed.served.publisher.publisher, product=PRODUCT)
        refused(licensed.ask(route.method, path, {}), 403, "agent/root-only")
    assert licensed.ask("GET", "/v1/status")[1]["products"] == before


def test_what_is_asked_wrongly_is_refused(licensed: Machine) -> None:
    refused(licensed.ask("GET", "/v1/none"), 404, "wire/not-found")
    refused(licensed.ask("GET", "/v1/products/UPPER/x"), 404, "wire/not-found")
    refused(licensed.ask("DELETE", "/v1/status"), 405, "wire/method")
    refused(licensed.ask("GET", f"/v1/products/{licensed.name}?wait=x"), 400, "wire/bad-request")
    refused(licensed.ask("POST", "/v1/activate", b"[]"), 400, "wire/bad-request")
    other = f"{licensed.served.publisher.publisher}/none"
    refused(licensed.ask("GET", f"/v1/products/{other}"), 404, "client/not-added")
    refused(licensed.ask("POST", "/v1/activate", {"product": other}), 404, "client/not-added")


def test_a_wish_is_tried_once_a_minute(licensed: Machine) -> None:
    wish = {"product": licensed.name}
    first = licensed.ask("POST", "/v1/activate", wish)[1]
    assert first["products"][0]["licensed"]
    again = licensed.ask("POST", "/v1/activate", wish)[1]
    assert again["coalesced"]
    assert 0 < again["retry_after"] <= 60
    assert again["products"] == first["products"]
    # Root types it, and is not put off.
    root = licensed.ask("POST", "/v1/activate", wish, as_root=True)[1]
    assert not root["coalesced"]
    assert root["products"][0]["last_attempt"] >= first["products"][0]["last_attempt"]


def test_every_route_answers_the_record_that_is_published(machine: Machine) -> None:
    assert list(shapes.ANSWERS) == [route.name for route in wire.ROUTES]
    machine.start()
    path = f"/v1/products/{machine.name}"
    key = {"key": machine.served.publisher.machine_key("desktop").text}
    url = {"publisher_url": "https://activation.test"}
    nowhere, host = {"host": "127.0.0.1:1"}, {"host": machine.served.address.text}
    ask: tuple[tuple[str, str, object], ...] = (
        ("POST", "/v1/products", machine.descriptor),
        ("POST", "/v1/verify", machine.descriptor),
        ("PUT", "/v1/settings/host", nowhere),
        ("POST", "/v1/activate", {}),
        ("GET", path, None),
        ("PUT", "/v1/settings/host", host),
        ("POST", "/v1/activate", {}),
        ("GET", "/v1/agent", None),
        ("GET", "/v1/status", None),
        ("GET", path, None),
        ("GET", f"{path}/evidence", None),
        ("POST", "/v1/verify", machine.descriptor),
        ("POST", f"{path}/release", {}),
        ("PUT", "/v1/settings/publisher-url", url),
        ("PUT", f"{path}/key", key),
        ("DELETE", f"{path}/key", None),
        ("DELETE", path, None),
    )
    # `ask` holds each answer against the schema of its route.
    told = [machine.ask(*words, as_root=True) for words in ask]
    assert [status for status, _ in told] == [200] * len(ask)
    assert machine.answered == set(shapes.ANSWERS)
    failed, licensed = (told[at][1]["products"][0] for at in (3, 6))
    assert failed["error"]["params"]
    assert (licensed["error"], licensed["licensed"]) == (None, True)
    state = json.loads(machine.sockets.state.read_bytes())
    printed.validator(shapes.answer_of(wire.AGENT.name)).validate(state)


def test_root_changes_by_the_acts_of_commands(machine: Machine) -> None:
    machine.start()
    added = machine.ask("POST", "/v1/products?identity=node", machine.descriptor, as_root=True)
    assert (added[0], added[1]["changed"], added[1]["identity"]) == (200, True, "node")
    key = {"key": machine.served.publisher.machine_key("desktop").text}
    path = f"/v1/products/{machine.name}"
    assert machine.ask("PUT", f"{path}/key", key, as_root=True)[1]["changed"]
    assert not machine.ask("PUT", f"{path}/key", key, as_root=True)[1]["changed"]
    assert machine.ask("DELETE", f"{path}/key", as_root=True)[1]["changed"]
    url = {"publisher_url": "https://activation.test"}
    assert machine.ask("PUT", "/v1/settings/publisher-url", url, as_root=True)[1]["changed"]
    refused(
        machine.ask("POST", f"{path}/release", {}, as_root=True), 409, "client/nothing-to-release"
    )
    assert machine.ask("DELETE", path, as_root=True)[1]["changed"]
    refused(machine.ask("GET", "/v1/status"), 404, "client/no-product")
    events = [line.event.value for line in look.history(machine.parts).history]
    assert events[-1] == "client:product:remove"
