"""What the agent answers at its sockets: requests to acts and looks, records to JSON.

Decides who may wish what. Refuses to know connections. Obeys docs/spec/14-agent.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import parse_qs

from muster.client import evidence, look
from muster.client.agent import Sockets, read_status
from muster.client.agent_results import AgentActivation
from muster.client.stores import Parts
from muster.core import grammar
from muster.core.catalogue import error
from muster.core.records import encode
from muster.core.values import dataclass
from muster.lease.claims import Claims
from muster.net.head import Head
from muster.system.textfile import plain
from muster.wire import agent as wire
from muster.wire import codec

_ALL_STATE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the user id by the word of the kernel, and whether at the socket for root."""

    user: int
    at_root: bool


class Keeper(Protocol):
    """What a question asks of the keeper."""

    def activate(self, product: str | None, *, patient: bool) -> AgentActivation:
        """Have an activation tried; the outcome, its own or that of one under way.

        Args:
            product: `publisher/product`, None for all.
            patient: an outcome of the last minute is enough.
        Raises: why there was none; `agent/stopping`.
        """

    def wait_change(self, seen: int, seconds: float) -> int:
        """Wait until something changed after `seen`, or the time is over; the count of changes."""


class AgentAPI:
    """Answers one request after the other; safe for several threads.

    Args:
        parts: makes what acts and looks work with, anew for each request.
        sockets: where the agent is.
        keeper: the keeper, by its responder.
        monotonic: seconds that never jump.
    """

    def __init__(
        self,
        parts: Callable[[], Parts],
        sockets: Sockets,
        keeper: Keeper,
        monotonic: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._sockets = sockets
        self._keeper = keeper
        self._monotonic = monotonic
        self._answers: Mapping[str, Callable[[_Request], object]] = {
            wire.AGENT.name: self._agent,
            wire.STATUS.name: lambda _: look.status_list(self._parts()),
            wire.PRODUCT.name: self._product,
            wire.EVIDENCE.name: lambda asked: evidence.evidence(self._parts(), asked.product),
            wire.VERIFY.name: lambda asked: evidence.judged(self._parts(), plain(asked.body)),
            wire.ACTIVATE.name: self._activate,
            wire.ADD.name: self._add,
            wire.REMOVE.name: self._remove,
            wire.INSTALL_KEY.name: self._install_key,
            wire.UNINSTALL_KEY.name: self._uninstall_key,
            wire.RELEASE.name: self._release,
            wire.SET_HOST.name: self._set_host,
            wire.SET_PUBLISHER.name: self._set_publisher,
        }

    def answer(self, asker: Asker, head: Head, body: bytes) -> bytes:
        """The body of the answer 200. Raises: what is refused."""
        asked = wire.match(head.method, head.target)
        if asked.route in wire.CHANGES and not asker.at_root:
            raise error("agent/root-only", socket=str(self._sockets.root))
        request = _Request(asker, asked.params, head.query, body)
        record = self._answers[asked.route.name](request)
        return json.dumps(encode(record), separators=(",", ":")).encode("ascii")

    def _agent(self, _: _Request) -> object:
        from muster.system.files import read_bounded

        return read_status(read_bounded(self._sockets.state, _ALL_STATE))

    def _product(self, asked: _Request) -> object:
        end = self._monotonic() + asked.wait
        seen = self._keeper.wait_change(-1, 0)
        while True:
            status = look.product_status(self._parts(), asked.product)
            left = end - self._monotonic()
            if status.licensed or left <= 0:
                return status
            seen = self._keeper.wait_change(seen, left)

    def _activate(self, asked: _Request) -> object:
        product = asked.wishes().optional_text("product", grammar.AUDIENCE)
        # Only what is there is worth a task of the keeper: names are anybody's invention.
        pairs = self._parts().descriptors(product)
        if not pairs:
            raise self._parts().no_product()
        return self._keeper.activate(product, patient=not asked.asker.at_root)

    def _add(self, asked: _Request) -> object:
        from muster.client.act import products

        identity = asked.query("identity")
        return products.add_product(self._parts(), plain(asked.body), identity=identity)

    def _remove(self, asked: _Request) -> object:
        from muster.client.act import products

        return products.remove_product(self._parts(), asked.product)

    def _install_key(self, asked: _Request) -> object:
        from muster.client.act import keys

        text = asked.wishes().text("key", grammar.PROSE)
        return keys.install_key(self._parts(), text, asked.product)

    def _uninstall_key(self, asked: _Request) -> object:
        from muster.client.act import keys

        return keys.uninstall_key(self._parts(), asked.product)

    def _release(self, asked: _Request) -> object:
        from muster.client.act import release

        return release.release(self._parts(), asked.product)

    def _set_host(self, asked: _Request) -> object:
        from muster.client.act import settings

        wishes = asked.wishes()
        host = wishes.optional_text("host", grammar.PROSE)
        return settings.set_host(self._parts(), host, _publisher(wishes))

    def _set_publisher(self, asked: _Request) -> object:
        from muster.client.act import settings

        wishes = asked.wishes()
        url = wishes.optional_text("publisher_url", grammar.PROSE)
        return settings.set_publisher(self._parts(), url, _publisher(wishes))


def _publisher(wishes: Claims) -> str:
    return wishes.optional_text("publisher", grammar.PUBLISHER_ID) or ""


@dataclass(frozen=True, slots=True)
class _Request:
    asker: Asker
    params: Mapping[str, str]
    raw_query: bytes
    body: bytes

    @property
    def product(self) -> str:
        """`publisher/product` of the path."""
        return f"{self.params['publisher']}/{self.params['product']}"

    def query(self, name: str) -> str | None:
        """The last value of a member of the query, None where it is not there."""
        try:
            members = parse_qs(self.raw_query.decode("ascii"), max_num_fields=8)
        except ValueError:
            raise error("wire/bad-request", detail="its query is none") from None
        return members[name][-1] if name in members else None

    @property
    def wait(self) -> float:
        """Seconds that the answer may wait."""
        given = self.query("wait") or "0"
        if not given.isdecimal() or len(given) > 4:
            raise error("wire/bad-request", detail="wait is not a number of seconds")
        return float(min(int(given), wire.WAIT_SECONDS))

    def wishes(self) -> Claims:
        """The members of the body."""
        return codec.decode(self.body, wire.WISHES)
