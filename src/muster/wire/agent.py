"""The routes of the agent's sockets (docs/spec/14-agent.md): one table for both who speak there.

Decides addresses, bounds, and which routes change something. Refuses to know sockets and rights.
"""

from __future__ import annotations

from collections.abc import Mapping

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.values import dataclass
from muster.lease import strict
from muster.wire.routes import KIB, Route

BODY_LIMIT = strict.DESCRIPTOR.bytes
"""Bytes of a request's body."""
ANSWER_LIMIT = 16 * KIB * KIB
"""Bytes of an answer's body."""
WAIT_SECONDS = 60
"""How long a question waits at most for a licence."""
WISHES = strict.Limits(bytes=16 * KIB, levels=2, members=8, items=1)
"""Of the body of a wish that is no descriptor."""

_PRODUCT = "/v1/products/{publisher}/{product}"


def _asked(name: str, method: str, path: str, summary: str) -> Route:
    limit = 0 if method in ("GET", "DELETE") else BODY_LIMIT
    return Route(name, method, path, summary, request_limit=limit, answer_limit=ANSWER_LIMIT)


AGENT = _asked("agent", "GET", "/v1/agent", "What the agent is and last did")
STATUS = _asked("status", "GET", "/v1/status", "Every product on this machine")
PRODUCT = _asked("product", "GET", _PRODUCT, "One product; with ?wait=SECONDS once it is licensed")
EVIDENCE = _asked("evidence", "GET", f"{_PRODUCT}/evidence", "What proves a licence offline")
VERIFY = _asked("verify", "POST", "/v1/verify", "What a product is worth by the sent descriptor")
ACTIVATE = _asked("activate", "POST", "/v1/activate", "Ask for a licence now")
ADD = _asked("product-add", "POST", "/v1/products", "Set a product up by its descriptor")
REMOVE = _asked("product-remove", "DELETE", _PRODUCT, "Forget a product")
INSTALL_KEY = _asked("key-install", "PUT", f"{_PRODUCT}/key", "Install a product key")
UNINSTALL_KEY = _asked("key-uninstall", "DELETE", f"{_PRODUCT}/key", "Remove the product key")
RELEASE = _asked("release", "POST", f"{_PRODUCT}/release", "Give the lease back")
SET_HOST = _asked("set-host", "PUT", "/v1/settings/host", "Ask one host, or those of DNS")
SET_PUBLISHER = _asked(
    "set-publisher", "PUT", "/v1/settings/publisher-url", "Where the publisher's service is"
)

QUESTIONS = (AGENT, STATUS, PRODUCT, EVIDENCE, VERIFY)
"""What everybody may ask on both sockets; changes nothing."""
CHANGES = (ADD, REMOVE, INSTALL_KEY, UNINSTALL_KEY, RELEASE, SET_HOST, SET_PUBLISHER)
"""What only root may wish, on its own socket."""
ROUTES = (*QUESTIONS, ACTIVATE, *CHANGES)


@dataclass(frozen=True, slots=True)
class Asked:
    """A route and the parts of the path that it names in braces."""

    route: Route
    params: Mapping[str, str]


def match(method: str, path: bytes) -> Asked:
    """The route of a request. Raises: `wire/not-found`, `wire/method`, `id/…`."""
    try:
        segments = path.decode("ascii").split("/")
    except UnicodeDecodeError:
        raise error("wire/not-found") from None
    allowed: list[str] = []
    for route in ROUTES:
        params = _params(route.path.split("/"), segments)
        if params is None:
            continue
        if route.method == method:
            return Asked(route, params)
        allowed.append(route.method)
    if not allowed:
        raise error("wire/not-found")
    shown = method if method.isalpha() and len(method) < 17 else "This"
    raise error("wire/method", method=shown, allowed=", ".join(sorted(set(allowed))))


_GRAMMARS = {"publisher": grammar.PUBLISHER_ID, "product": grammar.NAME}


def _params(wanted: list[str], given: list[str]) -> dict[str, str] | None:
    if len(wanted) != len(given):
        return None
    params: dict[str, str] = {}
    for want, part in zip(wanted, given, strict=True):
        if want.startswith("{"):
            if not _GRAMMARS[want[1:-1]].fullmatch(part):
                return None
            params[want[1:-1]] = part
        elif want != part:
            return None
    return params
