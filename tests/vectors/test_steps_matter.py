"""No verification step is idle: without it, something bad would be good (docs/spec/05).

Each vector with a `switch` is refused by all steps together and accepted when exactly that step
is left out. Step 1 reads what the others judge, so it is not left out but replaced by the reader
that a careless program would have: `json` and `base64` of the standard library, with what they
forgive.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.vectors.reading import STEPS, data_of, expected, load

from muster.core.errors import MusterError
from muster.lease.jws import Compact, PublicKey
from muster.lease.steps import Case, Expected
from muster.lease.verify import Step, verify_activation, verify_lease, verify_notice

VERIFY: dict[str, Callable[[bytes, Expected, tuple[Step, ...]], object]] = {
    "lease": verify_lease,
    "activation": verify_activation,
    "notice": verify_notice,
}
MAIN = {"lease": "lease", "activation": "grant", "notice": "notice"}
"""The member of a bundle that is judged."""


def careless_json(data: bytes) -> dict[str, Any]:
    """JSON as the standard library reads it: the last of two members, any number, any depth."""
    value: dict[str, Any] = json.loads(data.decode("utf-8-sig", "replace"))
    return value


def careless_base64(text: str) -> bytes:
    """Base64url without looking at padding, unused bits or foreign characters."""
    kept = re.sub(r"[^A-Za-z0-9_-]", "", text)
    return base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4))


def careless_compact(text: str) -> Compact:
    """A compact JWS taken apart without any check."""
    header, payload, signature = text.split(".")
    return Compact(
        text,
        careless_json(careless_base64(header)),
        careless_json(careless_base64(payload)),
        f"{header}.{payload}".encode(),
        careless_base64(signature),
    )


def careless_step(kind: str) -> Step:
    """What stands in for step 1."""

    def check(case: Case) -> None:
        bundle = careless_json(case.data)
        case.grant = careless_compact(bundle["grant"])
        case.signed = careless_compact(bundle[MAIN[kind]])
        case.text = ""
        if kind != "activation":
            case.signer = PublicKey(careless_base64(bundle["signer"]["x"]))

    return Step("1", "read carelessly", check, ())


def steps_without(kind: str, place: int) -> tuple[Step, ...]:
    """All steps of a kind but one, counted from 1."""
    steps = STEPS[kind]
    if place == 1:
        return (careless_step(kind), *steps[1:])
    return (*steps[: place - 1], *steps[place:])


def switched() -> list[Any]:
    """The cases that are good without one step."""
    return [
        pytest.param(case, id=case["name"])
        for case in load("licences")["cases"]
        if case["switch"] is not None
    ]


@pytest.mark.parametrize("case", switched())
def test_accepted_without_its_step(case: dict[str, Any]) -> None:
    """Without its step, and only without it, the bad vector is taken for good."""
    kind, data, want = case["kind"], data_of(case), expected(case)
    VERIFY[kind](data, want, steps_without(kind, case["switch"]))
    for place in range(1, len(STEPS[kind]) + 1):
        if place != case["switch"]:
            with pytest.raises(MusterError) as raised:
                VERIFY[kind](data, want, steps_without(kind, place))
            assert raised.value.code == case["result"]


@pytest.mark.parametrize("kind", STEPS)
def test_every_step_has_a_vector(kind: str) -> None:
    """Each step of each kind is what alone refuses at least one vector."""
    found = {
        case["switch"]
        for case in load("licences")["cases"]
        if case["kind"] == kind and case["switch"] is not None
    }
    assert found == set(range(1, len(STEPS[kind]) + 1))


def test_switch_is_the_step_that_refuses() -> None:
    """`switch` and `step` name the same step."""
    for case in load("licences")["cases"]:
        assert case["switch"] in (None, case["step"])


@pytest.mark.parametrize("kind", STEPS)
def test_good_stays_good_without_any_step(kind: str) -> None:
    """Leaving a step out never refuses: the steps do not lean on each other."""
    good = [
        case
        for case in load("licences")["cases"]
        if case["kind"] == kind and case["result"] == "ok"
    ]
    assert good
    for case in good:
        for place in range(1, len(STEPS[kind]) + 1):
            VERIFY[kind](data_of(case), expected(case), steps_without(kind, place))
