"""The host's HTTP router: each route of `wire.routes.HOST_ROUTES` bound to the service.

Decides how a reply of the service looks on the wire. A request is decoded once, here; it then waits
for its transaction on the event loop, not in a thread (docs/adr/0007-sync-services.md). Refuses to
know tables and keys. Obeys docs/spec/08-http.md, sections 8.2 to 8.4, 8.7 and 8.8.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from muster import __version__
from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.host.commit import GroupWriter
from muster.host.limits import network_refused
from muster.host.metrics import Traffic, ledger_families
from muster.host.model import Notice, PublisherView, QueuedRequest, Refused, Released, Reply
from muster.host.rules import granted_groups, serves
from muster.host.service import HostService
from muster.lease.strict import JSONObject, canonical
from muster.net.certificate import Certificate
from muster.net.exposition import Family
from muster.net.known import Known
from muster.net.openapi import encode_document
from muster.net.operation import certificate_families, healthz, operation_router, ready, unready
from muster.net.peers import Source, source_of
from muster.net.refusals import REFUSED, Refusals
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.wire import routes
from muster.wire.activation import ActivationRequest, decode_request
from muster.wire.codec import VERSION
from muster.wire.peer import ANSWERS, Peer
from muster.wire.problem import encode_problem
from muster.wire.release import ReleaseRequest, decode_release
from muster.wire.status import HostGrant, ServedPublisher, encode_grants, encode_publishers

Writer = GroupWriter[QueuedRequest, Reply]

DATABASE_RETRY_SECONDS = 60
"""Retry-After when the database cannot be written, such as on a full disk."""
_MET_NEXT = "host/challenge"
"""The same request comes once more in a moment; what that one is answered is told."""
_log = logging.getLogger("muster.host")


class HostAPI:
    """Binds the routes for machines to a service and its writer; `certificate` is what the server
    shows over TLS, None where it speaks none."""

    def __init__(
        self, service: HostService, writer: Writer, certificate: Certificate | None = None
    ) -> None:
        self._service = service
        self._writer = writer
        self._certificate = certificate
        self.condition = service.condition
        self.known = Known(
            service.database.name, self._look, service.database.try_writing, self.condition
        )
        self._traffic = Traffic()
        self.news: Callable[[], Sequence[Family]] = tuple
        """How news of publishers stand, for Prometheus; nothing where none are fetched."""
        self.refusals = Refusals(_log, self._source)
        self._openapi = encode_document(
            routes.HOST_ROUTES,
            title="Muster host",
            description="Counts machines and issues licences. Errors are problem documents"
            " (RFC 9457); their codes are in docs/errors.md.",
            version=__version__,
        )

    @property
    def is_ready(self) -> bool:
        """Whether machines can be answered, by what is known: waits for nothing."""
        good = self._certificate is None or self._certificate.good
        return good and self._writer.running and bool(self.serving)

    @property
    def serving(self) -> tuple[str, ...]:
        """Ids of the publishers that machines can be answered for, by what is known."""
        if not self.known.is_well:
            return ()
        now, known = self._service.now(), self._service.known.publishers.values()
        return tuple(view.publisher for view in known if serves(view, now))

    def router(self) -> Router:
        """The ASGI application."""
        return Router(
            [
                BoundRoute(routes.ACTIVATE, self._activate),
                BoundRoute(routes.RELEASE, self._release),
                BoundRoute(routes.PUBLISHERS, self._publishers),
                BoundRoute(routes.PUBLISHER_GRANTS, self._grants),
                BoundRoute(routes.HOST_CATALOGUE, self._catalogue),
                BoundRoute(routes.HOST_TRUST, self._trust),
                BoundRoute(routes.HEALTHZ, healthz, prompt=True),
                BoundRoute(routes.OPENAPI, self._document),
            ],
            guard=self._check_network,
            refused=self.refusals.router,
            observer=self._traffic.answered,
        )

    def operation(self) -> Router:
        """The ASGI application for administrators, on an address of its own."""
        return operation_router("host", self._readyz, self._families)

    async def _activate(self, request: Request) -> Answer:
        asked = decode_request(request.body)
        return await self._ask(asked, request)

    async def _release(self, request: Request) -> Answer:
        try:
            asked = decode_release(request.body)
        except MusterError as fault:
            if fault.code in ANSWERS[Peer.HOST]:
                raise
            raise error("wire/bad-request", detail=_detail(fault)) from fault
        return await self._ask(asked, request)

    def _source(self, client: str, headers: Mapping[str, str]) -> Source:
        return source_of(client, headers, self._service.known.settings.trusted_proxies)

    def _check_network(self, client: str, headers: Mapping[str, str]) -> None:
        """Whether the networks of the settings hold the sender, whatever is asked."""
        allowed = self._service.known.settings.allowed_networks
        refusal = network_refused(self._source(client, headers).address, allowed)
        if refusal is not None:
            raise refusal

    async def _ask(self, asked: ActivationRequest | ReleaseRequest, request: Request) -> Answer:
        source = self._source(request.client, request.headers)
        try:
            reply = await self._writer.ask(QueuedRequest(asked, source.address, source.shared))
        except MusterError as fault:
            if fault.code.startswith("db/"):
                self.known.failed(fault)
            raise _outside(fault) from fault
        self.known.changed()
        if isinstance(reply, Refused) and reply.error.code != _MET_NEXT:
            self.refusals.line(REFUSED, source, {"code": reply.error.code})
        return encode_reply(reply)

    def _known(self, request: Request) -> PublisherView:
        publisher = request.params["publisher"]
        view = self._view().get(publisher) if grammar.PUBLISHER_ID.fullmatch(publisher) else None
        if view is None:
            raise error("wire/not-found")
        return view

    def _view(self) -> Mapping[str, PublisherView]:
        try:
            return self._service.view().publishers
        except MusterError as fault:
            raise _outside(fault) from fault

    def _publishers(self, request: Request) -> Answer:
        now = self._service.now()
        served = tuple(
            ServedPublisher(
                publisher=view.publisher,
                label=view.label,
                trust=view.trust.version,
                catalogue=view.catalogue_version,
                groups=tuple(granted_groups(view, now)),
            )
            for view in self._view().values()
            if serves(view, now)
        )
        return Answer(200, encode_publishers(served))

    def _grants(self, request: Request) -> Answer:
        known = self._known(request)
        if known.signer is None:
            return Answer(200, encode_grants(()))
        public = known.signer.public
        return Answer(
            200, encode_grants(tuple(HostGrant(held.grant.text, public) for held in known.grants))
        )

    def _catalogue(self, request: Request) -> Answer:
        known = self._known(request)
        if known.catalogue is None:
            raise error("wire/not-found")
        return Answer(200, known.catalogue.text.encode("ascii"), routes.JOSE)

    def _trust(self, request: Request) -> Answer:
        known = self._known(request)
        asked = request.params["version"]
        if not grammar.VERSION_IN_PATH.fullmatch(asked):
            raise error("wire/not-found")
        for trust in known.line:
            if trust.version >= int(asked):
                return Answer(200, trust.text.encode("ascii"), routes.JOSE)
        raise error("wire/not-found")

    async def _readyz(self, request: Request) -> Answer:
        del request
        problems = self.condition.members()
        if not self.is_ready:
            return unready(problems)
        return ready(self._certificate, problems)

    def _look(self) -> Sequence[Family]:
        """Read what metrics tell of the tables; what administrators changed is seen."""
        view, now = self._service.view(), self._service.now()
        with self._service.database.snapshot() as reader:
            return ledger_families(reader, view, now)

    def _families(self) -> Sequence[Family]:
        """What `/metrics` tells, out of what is known: waits for nothing."""
        return [
            *self.known.reading,
            *self.known.families(),
            *self._traffic.families(),
            *self.condition.families(),
            *self.news(),
            *self.refusals.families(),
            *certificate_families(self._certificate),
        ]

    def _document(self, request: Request) -> Answer:
        return Answer(200, self._openapi)


def encode_reply(reply: Reply) -> Answer:
    """A reply of the service as an HTTP answer."""
    if isinstance(reply, Refused):
        return _problem(reply)
    if isinstance(reply, Released):
        return Answer(200, canonical({"v": VERSION, "released": reply.released}))
    return Answer(200, reply.encode())


def _detail(fault: MusterError) -> str:
    return str(fault.params.get("detail", fault.what)).rstrip(".")


def _answerable(fault: MusterError) -> MusterError:
    """The refusal in a code that a client takes from a host: what does not verify of a release is
    its proof (docs/spec/08-http.md, section 8.8)."""
    if fault.code in ANSWERS[Peer.HOST]:
        return fault
    return error("host/release-proof", detail=_detail(fault))


def _problem(reply: Refused) -> Answer:
    status, body = encode_problem(
        _answerable(reply.error),
        trust=reply.trust,
        catalogue=reply.catalogue,
        notice=None if reply.notice is None else _notice(reply.notice),
    )
    headers = {}
    after = reply.error.params.get("retry_after")
    if status in (429, 503) and isinstance(after, int):
        headers["retry-after"] = str(after)
    return Answer(status, body, routes.PROBLEM, headers)


def _notice(notice: Notice) -> JSONObject:
    return {
        "v": VERSION,
        "notice": notice.notice,
        "grant": notice.grant,
        "signer": notice.signer.jwk,
    }


def _outside(fault: MusterError) -> MusterError:
    """What machines are told of a fault of the database: that the host cannot answer now. The
    cause is in the log, where the administrator finds its fix."""
    if not fault.code.startswith("db/"):
        return fault
    return error("wire/unavailable", retry_after=DATABASE_RETRY_SECONDS)
