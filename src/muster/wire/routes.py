"""The table of routes that servers answer and clients ask (docs/spec/08-http.md, section 2).

One row is read by the server's router, by the client that calls it, and by the OpenAPI document.
"""

from __future__ import annotations

from muster.core.values import dataclass

JSON = "application/json"
PROBLEM = "application/problem+json"
JOSE = "application/jose"
TEXT = "text/plain; version=0.0.4; charset=utf-8"

HOST_PORT = 16880
PUBLISHER_PORT = 16882

KIB = 1024


@dataclass(frozen=True, slots=True)
class Route:
    """One address.

    `path` has parameters in braces; limits are bytes of the body. `statuses` lists every status
    that the route may answer, problem documents included.
    """

    name: str
    method: str
    path: str
    summary: str
    media_type: str = JSON
    request_limit: int = 0
    answer_limit: int = 16 * KIB
    statuses: tuple[int, ...] = (200,)

    def fill(self, **params: str) -> str:
        """The path with its parameters; values must already match their grammar."""
        return self.path.format_map(params)


ACTIVATE = Route(
    "activate",
    "POST",
    "/v1/activate",
    "Count a machine and answer with a lease or a refusal",
    request_limit=4 * KIB,
    statuses=(200, 400, 403, 404, 408, 409, 413, 415, 421, 428, 429, 500, 503),
)
RELEASE = Route(
    "release",
    "POST",
    "/v1/release",
    "Release the seat and the count of a machine, with its proof",
    request_limit=16 * KIB,
    statuses=(200, 400, 403, 404, 408, 409, 413, 415, 421, 428, 500, 503),
)
PUBLISHERS = Route(
    "publishers",
    "GET",
    "/v1/publishers",
    "Which publishers this host serves",
    answer_limit=64 * KIB,
    statuses=(200, 304, 500, 503),
)
PUBLISHER_GRANTS = Route(
    "publisher-grants",
    "GET",
    "/v1/publishers/{publisher}/grants",
    "The host grants of one publisher",
    answer_limit=64 * KIB,
    statuses=(200, 304, 404, 500, 503),
)
HOST_CATALOGUE = Route(
    "host-catalogue",
    "GET",
    "/v1/publishers/{publisher}/catalogue",
    "The newest catalogue of one publisher that this host holds",
    media_type=JOSE,
    answer_limit=6 * KIB * KIB,
    statuses=(200, 304, 404, 500, 503),
)
HOST_TRUST = Route(
    "host-trust",
    "GET",
    "/v1/publishers/{publisher}/trust/{version}",
    "The lowest trust version at or above the given one",
    media_type=JOSE,
    answer_limit=96 * KIB,
    statuses=(200, 304, 404, 500, 503),
)
HOSTS_ACTIVATE = Route(
    "hosts-activate",
    "POST",
    "/v1/hosts/activate",
    "Activate a host by its installation ID",
    request_limit=64 * KIB,
    answer_limit=8 * KIB * KIB,
    statuses=(200, 400, 403, 404, 408, 409, 413, 415, 421, 429, 500, 503),
)
ACTIVATIONS = Route(
    "activations",
    "POST",
    "/v1/activations",
    "Activate a machine by its installation ID",
    request_limit=64 * KIB,
    answer_limit=8 * KIB * KIB,
    statuses=(200, 400, 403, 404, 408, 409, 413, 415, 421, 429, 500, 503),
)
ACTIVATIONS_BATCH = Route(
    "activations-batch",
    "POST",
    "/v1/activations/batch",
    "Activate up to 10,000 machines by their installation IDs, all of one product key",
    request_limit=2 * KIB * KIB,
    answer_limit=32 * KIB * KIB,
    statuses=(200, 400, 403, 404, 408, 409, 413, 415, 421, 429, 500, 503),
)
CATALOGUE = Route(
    "catalogue",
    "GET",
    "/v1/catalogue",
    "The newest catalogue",
    media_type=JOSE,
    answer_limit=6 * KIB * KIB,
    statuses=(200, 304, 500, 503),
)
TRUST = Route(
    "trust",
    "GET",
    "/v1/trust/{version}",
    "The lowest trust version at or above the given one",
    media_type=JOSE,
    answer_limit=96 * KIB,
    statuses=(200, 304, 404, 500, 503),
)
JWKS = Route(
    "jwks",
    "GET",
    "/.well-known/jwks.json",
    "The working keys as a JWK set, a convenience; the pinned roots are the trust",
    media_type="application/jwk-set+json",
    answer_limit=64 * KIB,
    statuses=(200, 304, 500, 503),
)
HEALTHZ = Route("healthz", "GET", "/healthz", "The process answers", statuses=(200,))
READYZ = Route("readyz", "GET", "/readyz", "The service can do its work", statuses=(200, 503))
METRICS = Route(
    "metrics",
    "GET",
    "/metrics",
    "Prometheus text",
    media_type=TEXT,
    answer_limit=256 * KIB,
    statuses=(200, 503),
)
OPENAPI = Route(
    "openapi", "GET", "/openapi.json", "This document", answer_limit=256 * KIB, statuses=(200, 304)
)

HOST_ROUTES = (
    ACTIVATE,
    RELEASE,
    PUBLISHERS,
    PUBLISHER_GRANTS,
    HOST_CATALOGUE,
    HOST_TRUST,
    HEALTHZ,
    OPENAPI,
)
"""What a host answers machines on its one anonymous port."""
PUBLISHER_ROUTES = (
    HOSTS_ACTIVATE,
    ACTIVATIONS,
    ACTIVATIONS_BATCH,
    CATALOGUE,
    TRUST,
    JWKS,
    HEALTHZ,
    OPENAPI,
)
"""What the publisher's service answers."""
OPERATION_ROUTES = (HEALTHZ, READYZ, METRICS)
"""What host and publisher answer administrators, on an address of its own."""
