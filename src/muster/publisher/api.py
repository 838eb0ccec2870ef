"""The publisher's HTTP router: each route of `wire.routes` bound to the service.

Decides how an answer of the service looks on the wire: bytes, media type, problem document with
the newest versions of trust and catalogue. Refuses to know keys and tables. Obeys
docs/spec/08-http.md, sections 8.2, 8.5 and 8.8.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from muster import __version__
from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.health.process import ServerProcess
from muster.lease.strict import canonical
from muster.net.certificate import Certificate
from muster.net.condition import Condition
from muster.net.exposition import Family, Labels, gauge
from muster.net.known import Known
from muster.net.openapi import encode_document
from muster.net.operation import certificate_families, healthz, operation_router, ready, unready
from muster.net.peers import Network, Source, source_of
from muster.net.process import Place
from muster.net.refusals import Refusals
from muster.net.router import RETRY_AFTER_SECONDS, Answer, BoundRoute, Request, Router
from muster.publisher.pools import Activated
from muster.publisher.service import KnownState, PublisherService
from muster.publisher.throttle import Guesses, Throttle
from muster.wire import routes
from muster.wire.problem import encode_problem
from muster.wire.publisher import (
    BatchAnswer,
    BatchRow,
    decode_batch_request,
    decode_confirm_request,
)

_SHOWN = ("publisher/", "wire/", "key/", "digits/", "id/")
"""Areas whose errors a peer may read."""
_SIGNING = "signing"
_KEYS = "keys"
"""The area of what keeps the service from signing: the clock, and the grant keys."""
_log = logging.getLogger("muster.publisher")


def _hidden(fault: MusterError) -> MusterError | None:
    """What a peer is told of a fault of files, key files and database, which name paths; None
    where he may read it. A database that is full or away today works tomorrow. What stands
    against a clock is for who can look at another one."""
    if fault.code == "publisher/clock":
        return error("publisher/not-signing", retry_after=RETRY_AFTER_SECONDS)
    if fault.code.startswith(_SHOWN):
        return None
    if fault.row.http == 503 or fault.code.startswith("db/"):
        return error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS)
    return error("wire/internal")


class Counters:
    """Numbers for `/metrics`; counted by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: Counter[str] = Counter()
        self._machines: Counter[str] = Counter()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, float] = {}

    def outcome(self, name: str) -> None:
        """One activation of a host: "granted", "again", or the code of the error."""
        with self._lock:
            self._outcomes[name] += 1

    def machine(self, name: str, count: int = 1) -> None:
        """Activations of machines: "granted", "again", or the code of the error."""
        with self._lock:
            self._machines[name] += count

    def answered(self, route: str, status: int, seconds: float) -> None:
        """One answer; an `Observer` of the router."""
        with self._lock:
            self._answers[route, status] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def families(self) -> list[Family]:
        """What was counted."""
        with self._lock:
            outcomes: dict[Labels, int] = {(name,): n for name, n in self._outcomes.items()}
            machines: dict[Labels, int] = {(name,): n for name, n in self._machines.items()}
            answers: dict[Labels, int] = {
                (route, str(status)): n for (route, status), n in self._answers.items()
            }
            seconds: dict[Labels, float] = {(name,): n for name, n in self._seconds.items()}
        hosts = "Activations of hosts by outcome."
        every = "Activations of machines by outcome."
        answered = "HTTP answers by route and status."
        spent = "Seconds spent on answers by route."
        return [
            Family("host_activations_total", "counter", hosts, ("outcome",), outcomes),
            Family("activations_total", "counter", every, ("outcome",), machines),
            Family("http_answers_total", "counter", answered, ("route", "status"), answers),
            Family("http_seconds_total", "counter", spent, ("route",), seconds),
        ]


_GAUGES = {
    "host_keys": "Host keys issued.",
    "hosts": "Hosts that have a seat of a host key.",
    "host_grants": "Grants drawn by hosts.",
    "host_grants_revoked": "Grants of hosts that are revoked.",
    "pools": "Keys that activate machines.",
    "pool_size": "Machines that all pools together may activate.",
    "pool_drawn": "Machines that have a grant of a pool.",
    "pools_alerting": "Pools of keys not revoked that have reached one of their alert levels.",
    "pools_used_up": "Pools of keys not revoked, but for retail keys, with no activation left.",
    "trust_version": "Newest version of trust.",
    "trust_signed_timestamp_seconds": "When the newest trust was signed.",
    "catalogue_version": "Newest version of the catalogue.",
    "catalogue_signed_timestamp_seconds": "When the newest catalogue was signed.",
}


class PublisherAPI:
    """Binds the routes of a publisher to its service.

    Args:
        service: answers.
        trusted: proxies that are believed about whom they ask for.
        certificate: what the server shows over TLS, None where it speaks none.
    """

    def __init__(
        self,
        service: PublisherService,
        trusted: Sequence[Network] = (),
        *,
        certificate: Certificate | None = None,
    ) -> None:
        self._service = service
        self._certificate = certificate
        self._trusted = tuple(trusted)
        self._counters = Counters()
        self._throttle = Throttle()
        self._refusals = Refusals(_log, self._source, service.monotonic)
        self._lock = threading.Lock()
        self._condition = Condition(_log, service.now)
        self.known = Known(
            service.database.name, self._look, service.database.try_writing, self._condition
        )
        self._openapi = encode_document(
            routes.PUBLISHER_ROUTES,
            title=f"Muster publisher {service.publisher.label}",
            description="Activates hosts and serves trust and catalogue. Errors are problem"
            " documents (RFC 9457); their codes are in docs/errors.md.",
            version=__version__,
        )

    def __enter__(self) -> Self:
        """Keep known from now on how the database is."""
        self.known.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.known.close()

    def _look(self) -> KnownState:
        """Read what is known; what keeps the service from signing is told by log, status and
        readiness."""
        known = self._service.known()
        self._condition.tell(_SIGNING, [] if known.fault is None else [known.fault])
        self._condition.tell(_KEYS, known.key_faults)
        return known

    @property
    def is_ready(self) -> bool:
        """Whether hosts can be activated, by what is known: waits for nothing."""
        good = self._certificate is None or self._certificate.good
        return good and self.known.is_well and self.known.reading.fault is None

    def process(self, place: Place) -> ServerProcess:
        """What this process says of itself, out of what it knows: waits for nothing."""
        return place.process(ready=self.is_ready, problems=self._condition.problems())

    def router(self) -> Router:
        """The ASGI application."""
        bound = {
            routes.HOSTS_ACTIVATE: self._activate,
            routes.ACTIVATIONS: self._activations,
            routes.ACTIVATIONS_BATCH: self._batch,
            routes.CATALOGUE: self._catalogue,
            routes.TRUST: self._trust,
            routes.JWKS: self._jwks,
            routes.OPENAPI: self._document,
        }
        return Router(
            [
                BoundRoute(routes.HEALTHZ, healthz, prompt=True),
                *(BoundRoute(route, self._telling(handler)) for route, handler in bound.items()),
            ],
            refused=self._refusals.router,
            observer=self._counters.answered,
        )

    def operation(self) -> Router:
        """The ASGI application for administrators, on an address of its own."""
        return operation_router("publisher", self._readyz, self._families)

    def _telling(self, handler: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        """Let refusals name the newest versions, and keep causes of faults in the log.

        Faults of files, key files and database name paths: the peer learns that there is one.
        """

        def answer(request: Request) -> Answer:
            try:
                return handler(request)
            except MusterError as fault:
                hidden = _hidden(fault)
                if fault.code.startswith("db/"):
                    self.known.failed(fault)
                if hidden is not None:
                    raise hidden from fault
                if fault.row.http >= 500:
                    raise
                status, body = self._problem(fault)
                after = fault.params.get("retry_after")
                headers = {"Retry-After": str(after)} if isinstance(after, int) else {}
                return Answer(status, body, routes.PROBLEM, headers)

        return answer

    def _problem(self, fault: MusterError) -> tuple[int, bytes]:
        """A refusal with the newest versions, if the tables tell them now."""
        try:
            trust, catalogue = self._service.versions()
        except MusterError:
            return encode_problem(fault)
        return encode_problem(fault, trust=trust, catalogue=catalogue)

    def _guesses(self, request: Request) -> Guesses:
        source = self._source(request.client, request.headers)
        return Guesses(self._throttle, source, self._service.monotonic, self._lock)

    def _source(self, client: str, headers: Mapping[str, str]) -> Source:
        return source_of(client, headers, self._trusted)

    def _activate(self, request: Request) -> Answer:
        try:
            asked = decode_confirm_request(request.body)
            activation = self._service.activate_host(
                asked.installation_id, "http", self._guesses(request), asked.name
            )
        except MusterError as fault:
            self._counters.outcome(fault.code)
            self._log_refusal(f"a host was not activated: {fault}", request, fault)
            raise
        self._counters.outcome("granted" if activation.drawn else "again")
        self.known.changed()
        grant = activation.grant
        extra = {"key": grant.key, "hw": grant.hw, "jti": grant.jti, "drawn": activation.drawn}
        self._log_activation("a host was activated", request, extra, drawn=activation.drawn)
        return Answer(200, activation.answer.encode())

    def _activations(self, request: Request) -> Answer:
        try:
            asked = decode_confirm_request(request.body)
            answers = self._service.activate_batch(
                [asked.installation_id], "http", self._guesses(request)
            )
            answer = answers.answer()
        except MusterError as fault:
            self._counters.machine(fault.code)
            self._log_refusal(f"a machine was not activated: {fault}", request, fault)
            raise
        self._count(answers, request)
        return Answer(200, answer.encode())

    def _batch(self, request: Request) -> Answer:
        guesses = self._guesses(request)
        try:
            guesses.check()
            asked = decode_batch_request(request.body)
            answers = self._service.activate_batch(asked.installation_ids, guesses=guesses)
        except MusterError as fault:
            self._counters.machine(fault.code)
            self._log_refusal(f"a batch was not activated: {fault}", request, fault)
            raise
        self._count(answers, request)
        rows = [
            BatchRow.of(row)
            if isinstance(row, MusterError)
            else BatchRow(row.grant.grant, row.grant.confirmation)
            for row in answers.rows
        ]
        return Answer(200, BatchAnswer(rows, answers.trust, answers.catalogue).encode())

    def _count(self, answers: Activated, request: Request) -> None:
        """Count and log the rows of one call."""
        outcomes: Counter[str] = Counter()
        for row in answers.rows:
            if isinstance(row, MusterError):
                outcomes[row.code] += 1
            else:
                outcomes["granted" if row.drawn else "again"] += 1
        for name, count in outcomes.items():
            self._counters.machine(name, count)
        drawn = outcomes["granted"] > 0
        self.known.changed()
        self._log_activation(
            "machines were activated", request, {"rows": dict(outcomes)}, drawn=drawn
        )

    def _log_refusal(self, message: str, request: Request, fault: MusterError) -> None:
        """Log what was refused; a fault of our own has its one line from the router."""
        if _hidden(fault) is None and fault.row.http < 500:
            self._log_activation(message, request, {}, drawn=False)

    def _log_activation(
        self, message: str, request: Request, extra: Mapping[str, object], *, drawn: bool
    ) -> None:
        """Log an activation. What draws is bounded by its pool; anybody can cause the rest."""
        source = self._source(request.client, request.headers)
        if drawn:
            _log.info(message, extra={"client": source.address, **extra})
        else:
            self._refusals.line(message, source, extra)

    def _catalogue(self, request: Request) -> Answer:
        text = self._service.newest_catalogue().text
        return Answer(200, text.encode("ascii"), routes.JOSE)

    def _trust(self, request: Request) -> Answer:
        asked = request.params["version"]
        version = (
            self._service.trust_from(int(asked))
            if grammar.VERSION_IN_PATH.fullmatch(asked)
            else None
        )
        if version is None:
            raise error("wire/not-found")
        return Answer(200, version.text.encode("ascii"), routes.JOSE)

    def _jwks(self, request: Request) -> Answer:
        return Answer(200, canonical(self._service.jwks()), routes.JWKS.media_type)

    async def _readyz(self, request: Request) -> Answer:
        del request
        if not self.is_ready:
            return unready(self._condition.members())
        return ready(self._certificate, self._condition.members())

    def _families(self) -> Sequence[Family]:
        """What `/metrics` tells, out of what is known: waits for nothing."""
        known = self.known.reading
        counts = {
            **known.counts,
            "trust_version": known.trust.version,
            "trust_signed_timestamp_seconds": known.trust.iat,
            "catalogue_version": known.catalogue.version,
            "catalogue_signed_timestamp_seconds": known.catalogue.iat,
        }
        return [
            *self._counters.families(),
            *(gauge(name, text, counts[name]) for name, text in _GAUGES.items()),
            *self.known.families(),
            *self._condition.families(),
            *self._refusals.families(),
            *certificate_families(self._certificate),
        ]

    def _document(self, request: Request) -> Answer:
        return Answer(200, self._openapi)
