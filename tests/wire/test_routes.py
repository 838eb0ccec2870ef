"""The routes: distinct, and filled in."""

from __future__ import annotations

from muster.wire import routes


def test_routes_are_distinct_and_fill() -> None:
    for table in (routes.HOST_ROUTES, routes.PUBLISHER_ROUTES):
        assert len({(route.method, route.path) for route in table}) == len(table)
    assert routes.HOST_TRUST.fill(publisher="x" * 16, version="3") == (
        f"/v1/publishers/{'x' * 16}/trust/3"
    )
