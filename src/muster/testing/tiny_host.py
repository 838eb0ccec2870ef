"""A host in memory for tests of clients: the real service on a database in memory, no socket.

What it answers is decided by `muster.host.service.HostService`, on the rows that it counts. What it
lacks is durability. It follows its publisher by itself, as if its administrator imported each new
file at once, and misbehaves when told (`Misbehaviour`, `skew`, `trust`, `held`): then what the
service answered is altered and signed again, as a host can that signs what it likes.
"""

from __future__ import annotations

import enum
import hashlib
from pathlib import Path

from muster.client.discovery import Address
from muster.client.driver import Reply
from muster.core.catalogue import error
from muster.core.clock import Clock
from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.keys import ProductKey
from muster.core.products import DAY, day_of
from muster.core.values import replace
from muster.db.migrate import load_migrations, migrate
from muster.host import model, store
from muster.host.act import enrol, updates
from muster.host.api import encode_reply
from muster.host.count import Seen
from muster.host.model import HostKey, PublisherView, QueuedRequest
from muster.host.open import OpenHost
from muster.host.rules import granted_groups, serves
from muster.host.service import HostService
from muster.host.tables import host_keys, ledger, own, tallies
from muster.lease import strict
from muster.lease.bundle import Bundle, NoticeBundle
from muster.lease.catalogue import Catalogue
from muster.lease.claims import Claims
from muster.lease.grant import GrantValues, issue_grant, read_claims
from muster.lease.jws import MemorySigningKey, parse
from muster.lease.lease import LeaseClaims, make_lease
from muster.lease.lease import read_claims as read_lease
from muster.lease.notice import DUPLICATE_CMID, NoticeClaims, make_notice
from muster.lease.strict import b64url_encode
from muster.system.entropy import SeededDice
from muster.testing.memory import MemoryDatabase, MemoryKeyRing
from muster.testing.tiny_publisher import GROUPS, TinyPublisher
from muster.wire.activation import ActivationAnswer, ActivationRequest, decode_request
from muster.wire.problem import encode_problem
from muster.wire.release import decode_release
from muster.wire.routes import (
    ACTIVATE,
    HOST_CATALOGUE,
    HOST_PORT,
    HOST_TRUST,
    PUBLISHER_GRANTS,
    PUBLISHERS,
    RELEASE,
    Route,
)
from muster.wire.status import HostGrant, ServedPublisher, encode_grants, encode_publishers

DOMAIN = "corp.test"
"""The domain of hosts in memory."""
_SENDER = "192.0.2.1"
_HARDWARE = "0" * 12
_ALWAYS = 253_402_300_799
"""The last second of the year 9999."""


class Misbehaviour(enum.Enum):
    """How a host behaves."""

    HONEST = "honest"
    SILENT = "silent"
    REFUSING = "refusing"
    """It refuses connections."""
    RUBBISH = "rubbish"
    """It answers 200 with bytes that are nothing."""
    EMPTY = "empty"
    HUGE = "huge"
    REDIRECT = "redirect"
    UNSIGNED_DUPLICATE = "unsigned-duplicate"
    """It orders to change the CMID without a signed notice."""
    DUPLICATE = "duplicate"
    """It sends a signed notice that another machine has the CMID."""
    STRANGER = "stranger"
    """It signs leases with a key that no grant names."""
    GREEDY = "greedy"
    """It signs leases until the year 9999."""
    COUNTLESS = "countless"
    """It signs leases though too few machines asked."""
    DISOBEDIENT = "disobedient"
    """It signs leases though its grant or the product is taken back."""
    HIDES_DOCUMENTS = "hides-documents"
    """It names trust and catalogue versions and does not give them."""


_REFUSALS = {
    Misbehaviour.COUNTLESS: ("host/insufficient-count",),
    Misbehaviour.DISOBEDIENT: ("host/grant-revoked", "host/not-activated", "host/product-revoked"),
}
"""What a misbehaviour leases against."""


class TinyHost:
    """A host in memory with a key of one group.

    Args:
        publisher: whom it serves; it follows every change of it.
        clock: its own; `skew` is added to what it tells.
        name: its host name, and the seed of its keys.
        group: the key group of its host key.

    `misbehaviour` how it behaves; `skew` seconds that dates in its answers are ahead; `trust` the
    newest version that it names and gives, None for the publisher's; `held` the catalogue that it
    stays at, None for the publisher's newest; `duplicates` CMIDs that get a notice; `asked` every
    request that it read; `released` the CMIDs that gave a licence back.
    """

    def __init__(
        self, publisher: TinyPublisher, clock: Clock, name: str, group: str = "server"
    ) -> None:
        self.publisher = publisher
        self.clock = clock
        self.name = name
        self.misbehaviour = Misbehaviour.HONEST
        self.skew = 0
        self.trust: int | None = None
        self.held: Catalogue | None = None
        self.duplicates: set[str] = set()
        self.asked: list[ActivationRequest] = []
        self.released: list[str] = []
        self.key = MemorySigningKey(hashlib.sha256(f"host {name}".encode()).digest())
        self.database = MemoryDatabase()
        migrate(self.database, store.WING, load_migrations(store.SCHEMA), clock.now())
        dice = SeededDice(f"host {name}")
        keyring = MemoryKeyRing(lambda _: self.key.raw)
        keyring.ensure(publisher.publisher, dice)
        self.opened = OpenHost(Path(name), self.database, keyring, clock, dice, "user:test")
        self._followed = self._newest()
        updates.add_publisher(self.opened, publisher.file())
        self.service = HostService(self.database, keyring, clock, dice)
        self.group = group

    # Its publisher and its grant.

    @property
    def group(self) -> str:
        """The key group of its host key; another one is a new key, which is activated."""
        return self._group

    @group.setter
    def group(self, group: str) -> None:
        for host_key in self._keys():
            enrol.remove_key(self.opened, host_key.key_id)
        self._group = group
        self.host_key: ProductKey = self.publisher.host_key(group)
        key_id = self.host_key.key_id
        # As `enrol.install_key` keeps it, without the work that hides hardware and key.
        key = HostKey(
            publisher=self.publisher.publisher,
            key_id=key_id.text,
            partial=self.host_key.text[-5:],
            binding=host_binding(self.publisher.publisher, key_id, self.key.public.raw),
            hw=_HARDWARE,
            primary="system-uuid",
            proof_key=bytes(32),
            installed_at=self.clock.now(),
        )
        with self.database.transaction() as tx:
            host_keys.put(tx, key)
        self.regrant()

    def _keys(self) -> list[HostKey]:
        with self.database.snapshot() as reader:
            return host_keys.rows(reader, self.publisher.publisher)

    @property
    def grant(self) -> str:
        """The grant of its host key, as compact JWS; another one can be put in its place."""
        (key,) = self._keys()
        assert key.grant is not None
        return key.grant

    @grant.setter
    def grant(self, text: str) -> None:
        (key,) = self._keys()
        with self.database.transaction() as tx:
            host_keys.put(tx, replace(key, grant=text))
            own.touch(tx)

    def cap(self, limit: int) -> None:
        """Take terms of the publisher that allow so many machines."""
        (key,) = self._keys()
        grant = read_claims(parse(self.grant, strict.SMALL, "grant"))
        with self.database.transaction() as tx:
            host_keys.put(tx, replace(key, terms=self.publisher.terms(grant, limit)))
            own.touch(tx)

    def regrant(self) -> None:
        """Take a new grant under the publisher's present grant key."""
        (key,) = self._keys()
        self.grant = issue_grant(
            GrantValues(
                publisher=key.publisher,
                key_id=self.host_key.key_id,
                binding=key.binding,
                hw=key.hw,
                term=0,
                day=day_of(self.publisher.now),
                group=next(group for group in GROUPS if group.id == self.group),
            ),
            self.publisher.grant_key,
        )

    @property
    def jti(self) -> str:
        """The licence id of its grant."""
        return read_claims(parse(self.grant, strict.SMALL, "grant")).jti

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(f"{self.name}.{DOMAIN}", HOST_PORT)

    def _newest(self) -> tuple[str, str]:
        catalogue = self.publisher.catalogue if self.held is None else self.held
        return self.publisher.trust.text, catalogue.text

    def _follow(self) -> None:
        """Take what the publisher has signed since."""
        newest = self._newest()
        if newest == self._followed:
            return
        line = [trust.text for trust in self.publisher.line]
        updates.update(self.opened, self.publisher.publisher, line, newest[1])
        self._followed = newest

    # Its count.

    def crowd(self, machines: int, application: str = "os") -> None:
        """Let other machines have asked."""
        publisher, now = self.publisher.publisher, self.clock.now()
        with self.database.transaction() as tx:
            for number in range(machines):
                cmid = f"other machine {number}"
                ledger.put_seen(tx, publisher, application, cmid, Seen(now))

    def forget(self) -> None:
        """Let nobody have asked."""
        with self.database.transaction() as tx:
            tx.execute("DELETE FROM sighting")
            tallies.recount(tx)

    def count(self, application: str = "os") -> int:
        """How many machines of an application count now."""
        publisher, now = self.publisher.publisher, self.clock.now()
        with self.database.snapshot() as reader:
            return ledger.count(reader, publisher, application, now)

    # Its answers.

    def answer(self, route: Route, path: str, body: bytes | None) -> Reply:
        """Answer one request as a host does."""
        try:
            self._follow()
            if route is ACTIVATE:
                return self._activate(decode_request(body or b""))
            if route is RELEASE:
                return self._release(body or b"")
            known = self._view()
            if route is PUBLISHERS:
                served = (self._served(known),) if serves(known, self.clock.now()) else ()
                return Reply(200, encode_publishers(served))
            if route is PUBLISHER_GRANTS and self.publisher.publisher in path:
                return Reply(200, encode_grants((HostGrant(self.grant, self.key.public),)))
            return self._document(known, route, path)
        except MusterError as fault:
            return self._problem(fault)

    def _view(self) -> PublisherView:
        return self.service.view().publishers[self.publisher.publisher]

    def _problem(self, fault: MusterError, notice: NoticeBundle | None = None) -> Reply:
        import json

        known = self._view()
        status, body = encode_problem(
            fault,
            trust=self._trust_version(known),
            catalogue=known.catalogue_version,
            notice=None if notice is None else json.loads(notice.encode()),
        )
        return Reply(status, body)

    def _trust_version(self, known: PublisherView) -> int:
        return known.trust.version if self.trust is None else self.trust

    def _served(self, known: PublisherView) -> ServedPublisher:
        return ServedPublisher(
            publisher=known.publisher,
            label=known.label,
            trust=self._trust_version(known),
            catalogue=known.catalogue_version,
            groups=tuple(granted_groups(known, self.clock.now())),
        )

    def _activate(self, request: ActivationRequest) -> Reply:
        self.asked.append(request)
        (reply,) = self.service.handle([QueuedRequest(request, _SENDER, shared=True)])
        if isinstance(reply, model.Refused):
            if reply.error.code in _REFUSALS.get(self.misbehaviour, ()):
                return Reply(200, self._lie(self._invented(request)).encode())
            reply = replace(reply, trust=self._trust_version(self._view()))
        elif isinstance(reply, ActivationAnswer) and self._alters():
            bundle = reply.bundle
            text = Claims(parse(bundle.lease, strict.SMALL, "lease").payload, "lease")
            return Reply(200, self._lie(read_lease(text)).encode())
        answer = encode_reply(reply)
        return Reply(answer.status, answer.body)

    def _alters(self) -> bool:
        dishonest = self.misbehaviour in (Misbehaviour.STRANGER, Misbehaviour.GREEDY)
        return dishonest or bool(self.skew) or self.trust is not None

    def _invented(self, request: ActivationRequest) -> LeaseClaims:
        """A lease that the service did not give."""
        known, now = self._view(), self.clock.now()
        product = self.publisher.catalogue.product(request.product)
        count = self.count(product.application)
        jti = hashlib.sha256(f"{self.name} {len(self.asked)}".encode()).digest()[:16]
        return LeaseClaims(
            cmid=request.cmid,
            publisher=request.publisher,
            product=request.product,
            iat=now,
            exp=now + 180 * DAY,
            jti=b64url_encode(jti),
            group=product.group,
            identity=request.identity,
            nonce=request.nonce,
            renew_after=product.spans.renew_after,
            retry_after=product.spans.retry_after,
            count=count
            if self.misbehaviour is Misbehaviour.COUNTLESS
            else max(count, product.need),
            need=product.need,
            fingerprint=request.fingerprint,
            catalogue=known.catalogue_version,
            trust=known.trust.version,
        )

    def _lie(self, claims: LeaseClaims) -> ActivationAnswer:
        """A lease as this host alters and signs it."""
        claims = replace(
            claims,
            iat=claims.iat + self.skew,
            exp=_ALWAYS if self.misbehaviour is Misbehaviour.GREEDY else claims.exp + self.skew,
            trust=self._trust_version(self._view()),
        )
        key = self.key
        if self.misbehaviour is Misbehaviour.STRANGER:
            key = MemorySigningKey(hashlib.sha256(b"a stranger").digest())
        return ActivationAnswer(
            Bundle(make_lease(claims, key), self.grant, self.key.public),
            count=claims.count,
            need=claims.need,
            trust=claims.trust,
            catalogue=claims.catalogue,
        )

    def notice(self, request: ActivationRequest, code: str = DUPLICATE_CMID) -> NoticeBundle:
        """A signed notice for a request."""
        claims = NoticeClaims(
            cmid=request.cmid,
            publisher=request.publisher,
            product=request.product,
            iat=self.clock.now() + self.skew,
            jti=b64url_encode(hashlib.sha256(request.nonce.encode()).digest()[:16]),
            code=code,
            nonce=request.nonce,
        )
        return NoticeBundle(make_notice(claims, self.key), self.grant, self.key.public)

    def _release(self, body: bytes) -> Reply:
        request = decode_release(body)
        (reply,) = self.service.handle([QueuedRequest(request, _SENDER, shared=True)])
        if isinstance(reply, model.Released):
            lease = parse(request.bundle.lease, strict.SMALL, "lease")
            self.released.append(read_lease(Claims(lease.payload, "lease")).cmid)
        answer = encode_reply(reply)
        return Reply(answer.status, answer.body)

    def _document(self, known: PublisherView, route: Route, path: str) -> Reply:
        if self.misbehaviour is Misbehaviour.HIDES_DOCUMENTS:
            raise error("wire/not-found")
        if route is HOST_CATALOGUE and known.catalogue is not None:
            return Reply(200, known.catalogue.text.encode("ascii"))
        if route is HOST_TRUST:
            wanted = int(path.rpartition("/")[2])
            for trust in known.line:
                if wanted <= trust.version <= self._trust_version(known):
                    return Reply(200, trust.text.encode("ascii"))
        raise error("wire/not-found")

    # Moods.

    def moody(self, route: Route, path: str, body: bytes | None) -> Reply:
        """Answer, or misbehave as told. Raises: `net/…` where no answer would arrive."""
        peer = self.address.text
        match self.misbehaviour:
            case Misbehaviour.SILENT:
                raise error("net/timeout", peer=peer, seconds="10")
            case Misbehaviour.REFUSING:
                raise error("net/refused", peer=peer)
            case Misbehaviour.HUGE:
                raise error("net/too-large", peer=peer, limit=route.answer_limit)
            case Misbehaviour.RUBBISH:
                return Reply(200, b"\x00\xff<html>" * 20)
            case Misbehaviour.EMPTY:
                return Reply(200, b"")
            case Misbehaviour.REDIRECT:
                return Reply(302, b"")
        if route is ACTIVATE and self.misbehaviour in (
            Misbehaviour.UNSIGNED_DUPLICATE,
            Misbehaviour.DUPLICATE,
        ):
            return self._duplicate(decode_request(body or b""))
        if route is ACTIVATE and self.duplicates:
            request = decode_request(body or b"")
            if request.cmid in self.duplicates:
                return self._duplicate(request)
        return self.answer(route, path, body)

    def _duplicate(self, request: ActivationRequest) -> Reply:
        self.asked.append(request)
        signed = self.misbehaviour is not Misbehaviour.UNSIGNED_DUPLICATE
        fault = error("host/duplicate-cmid", cmid=request.cmid)
        return self._problem(fault, self.notice(request) if signed else None)
