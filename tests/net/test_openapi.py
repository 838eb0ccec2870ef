"""What `/openapi.json` says of messages is what is sent (docs/spec/08-http.md)."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.lease.trees import tree
from tests.wire.messages import CLIENT, KEY, REQUEST

from muster.lease.bundle import Bundle
from muster.net import openapi
from muster.wire import release, routes


def test_the_published_schemas_name_each_member_of_a_request() -> None:
    """With all members that a message may have, and with those alone that it must have."""
    signer = KEY.public
    bundle = Bundle("a.b.c", "d.e.f", signer)
    least = release.ReleaseRequest(bundle, signer.raw, (), 1)
    named = replace(CLIENT, name="pc")
    full = replace(REQUEST, client=named, challenge="A" * 22, trust=1, catalogue=1)
    for name, few, every in (
        (routes.ACTIVATE.name, REQUEST, full),
        (routes.RELEASE.name, least, replace(least, challenge="A" * 22)),
    ):
        schema = tree(openapi.REQUESTS[name])
        assert set(schema["required"]) == set(json.loads(few.prove(KEY).body)), name
        assert set(schema["properties"]) == set(json.loads(every.prove(KEY).body)), name
        assert 428 in {route.name: route for route in routes.HOST_ROUTES}[name].statuses
