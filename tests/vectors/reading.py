"""How tests read the vector files: cases, and what the client of a case knows."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from muster.core.errors import MusterError
from muster.lease.catalogue import read_catalogue
from muster.lease.descriptor import read_descriptor
from muster.lease.site import SiteHost
from muster.lease.steps import Case, Expected
from muster.lease.trust import walk
from muster.lease.verify import GRANT_STEPS, LEASE_STEPS, NOTICE_STEPS, Step

HERE = Path(__file__).resolve().parent
STEPS: dict[str, tuple[Step, ...]] = {
    "lease": LEASE_STEPS,
    "activation": GRANT_STEPS,
    "notice": NOTICE_STEPS,
}


@cache
def load(name: str) -> dict[str, Any]:
    """One vector file."""
    content: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return content


def cases(name: str) -> list[Any]:
    """The cases of a file as parameters, named."""
    return [pytest.param(case, id=case["name"]) for case in load(name)["cases"]]


@cache
def world(name: str) -> Expected:
    """A world of licences.json: descriptor, trust and catalogue as a client holds them."""
    content = load("licences")["worlds"][name]
    descriptor = read_descriptor(content["descriptor"].encode())
    trust = walk(descriptor.trust, content["trust"])
    assert trust.text == [descriptor.trust.text, *content["trust"]][-1]
    found = content["catalogue"]
    catalogue = None if found is None else read_catalogue(found, trust)
    return Expected(descriptor=descriptor, trust=trust, now=0, catalogue=catalogue)


def expected(case: dict[str, Any]) -> Expected:
    """What the client of a case knows."""
    known = world(case["world"])
    want = {**case["expected"], "fingerprint": tuple(case["expected"]["fingerprint"])}
    return Expected(
        descriptor=known.descriptor, trust=known.trust, catalogue=known.catalogue, **want
    )


def data_of(case: dict[str, Any]) -> bytes:
    """The bytes of a case's bundle."""
    text = case.get("bundle")
    return base64.b64decode(case["bundle_b64"]) if text is None else text.encode()


def refusing_step(kind: str, data: bytes, want: Expected) -> tuple[int, MusterError] | None:
    """The place of the step that refuses, from 1, and its error."""
    case = Case(data, want)
    for place, step in enumerate(STEPS[kind], start=1):
        try:
            step.check(case)
        except MusterError as fault:
            assert fault.code in step.codes
            return place, fault
    return None


def shown_host(host: SiteHost) -> str:
    """A host of a site file as sites.json writes it."""
    name = f"[{host.host}]" if ":" in host.host else host.host
    return f"{name}:{host.port}{' tls' if host.tls else ''}"
