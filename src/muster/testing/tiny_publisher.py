"""A whole publisher in memory, for tests of hosts, clients and of programs that embed Muster.

It has roots, trust versions, a catalogue, product keys and grants, all from one seed, and answers
an installation ID as a publisher's service does. It has no pools, no store and no care for secrets:
never use it for anything but tests.

```
publisher = TinyPublisher("contoso", now=clock.now())
file = publisher.file()                       # for `muster host init --publisher`
key = publisher.host_key("server")            # for `muster host install-key`
answer = publisher.confirm(installation_id)   # what `muster host activate` receives
descriptor = publisher.descriptor("desktop-pro")
```
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import prefix_of, publisher_id
from muster.core.ids import InstallationId, check_proof, parse_installation_id, proof_key
from muster.core.keys import KeyId, Kind, ProductKey, make_product_key
from muster.core.products import (
    DAY,
    Application,
    Conversion,
    KeyGroup,
    Periods,
    Product,
    Revocation,
    day_of,
)
from muster.core.values import dataclass, replace
from muster.lease import strict
from muster.lease.catalogue import Catalogue, CatalogueClaims, make_catalogue, read_catalogue
from muster.lease.descriptor import make_descriptor
from muster.lease.grant import (
    Grant,
    GrantValues,
    confirmation_of,
    issue_grant,
    read_claims,
    read_grant,
)
from muster.lease.jws import MemorySigningKey, parse
from muster.lease.terms import Ceiling, make_terms
from muster.lease.trust import (
    CATALOGUE_ROLE,
    GRANT_ROLE,
    Trust,
    TrustClaims,
    TrustKey,
    follow,
    make_trust,
)
from muster.lease.trust import anchor as read_anchor
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.wire import routes
from muster.wire.exchange import PublisherFile, ReplyFile, RequestFile
from muster.wire.publisher import ConfirmAnswer, decode_confirm_request

GROUPS = (
    KeyGroup(1, "desktop", ("desktop",), 180 * DAY),
    KeyGroup(2, "server", ("desktop", "server"), 180 * DAY),
    KeyGroup(3, "office", ("office",), 180 * DAY),
    KeyGroup(4, "limited", ("desktop", "limited"), 30 * DAY, "required"),
)
"""A server key licenses desktops too, office stands alone, `limited` needs terms."""
APPLICATIONS = (
    Application("os", "Operating systems"),
    Application("office", "Office applications"),
)
MODES = ("device", "explicit", "machine", "node")


@dataclass(frozen=True, slots=True)
class _Sort:
    """What differs between the products."""

    id: str
    application: str
    group: str
    need: int
    identity: tuple[str, ...] = ("device", "machine", "node")


SORTS = (
    _Sort("desktop-pro", "os", "desktop", 25),
    _Sort("desktop-enterprise", "os", "desktop", 25),
    _Sort("server-standard", "os", "server", 5),
    _Sort("office-suite", "office", "office", 5),
    _Sort("office-drawing", "office", "office", 5, MODES),
)
"""The products: desktops and servers share an application; office-drawing allows `explicit`."""


def test_key(seed: str, name: str) -> MemorySigningKey:
    """The signing key of a name; the same for the same seed."""
    return MemorySigningKey(hashlib.sha256(f"tiny {seed} {name}".encode()).digest())


test_key.__test__ = False  # type: ignore[attr-defined]  # pytest must not take it for a test


class TinyPublisher:
    """A publisher in memory.

    Args:
        label: its label, and the seed of all its keys.
        now: Unix seconds of its founding; its first trust and catalogue are dated so.
    """

    def __init__(self, label: str = "contoso", *, now: int) -> None:
        self.label = label
        self.now = now
        self.working, self.reserve = self._key("working"), self._key("reserve")
        self.catalogue_key, self.grant_key = self._key("catalogue"), self._key("grant")
        self.publisher = publisher_id(self.working.public.raw)
        self.tag_key = hashlib.sha256(f"tiny {label} tag".encode()).digest()
        self._serials = 0
        self._terms: dict[KeyId, int] = {}
        self._issued: dict[KeyId, ProductKey] = {}
        self._grants: dict[tuple[KeyId, str], str] = {}
        self.revocations: list[Revocation] = []
        self.conversions: list[Conversion] = []
        self.products: list[Product] = [self._product(sort) for sort in SORTS]
        self.keys: list[TrustKey] = [
            TrustKey(self.catalogue_key.public, CATALOGUE_ROLE),
            TrustKey(self.grant_key.public, GRANT_ROLE, 0),
        ]
        self.line: list[Trust] = [read_anchor(self._sign_trust(1, self.working))]
        self.catalogue: Catalogue = self.publish()

    def _key(self, name: str) -> MemorySigningKey:
        return test_key(self.label, name)

    # Trust and catalogue.

    @property
    def trust(self) -> Trust:
        """The newest trust."""
        return self.line[-1]

    def _sign_trust(self, version: int, root: MemorySigningKey) -> str:
        return make_trust(
            TrustClaims(
                issuer=self.publisher,
                label=self.label,
                name=self.label.title(),
                version=version,
                iat=self.now,
                roots=(self.working.public, self.reserve.public),
                keys=self.keys,
            ),
            root,
        )

    def rotate(self, *, withdraw: bool = False) -> Trust:
        """A further trust version with a new grant key; the old one is retired, or withdrawn."""
        old = next(key for key in self.keys if key.key == self.grant_key.public)
        index = max(key.index or 0 for key in self.keys) + 1
        self.keys.remove(old)
        if not withdraw:
            self.keys.append(replace(old, until=day_of(self.now)))
        self.grant_key = self._key(f"grant {index}")
        self.keys.append(TrustKey(self.grant_key.public, GRANT_ROLE, index))
        self.line.append(follow(self.trust, self._sign_trust(self.trust.version + 1, self.working)))
        return self.trust

    def publish(
        self, products: Sequence[Product] = (), revocations: Sequence[Revocation] = ()
    ) -> Catalogue:
        """A further catalogue with what is new; `self.now` dates it."""
        self.products.extend(products)
        self.revocations.extend(revocations)
        version = self.catalogue.version + 1 if hasattr(self, "catalogue") else 1
        text = make_catalogue(
            CatalogueClaims(
                version=version,
                iat=self.now,
                groups=GROUPS,
                applications=APPLICATIONS,
                products=self.products,
                conversions=self.conversions,
                revocations=self.revocations,
            ),
            self.trust,
            self.catalogue_key,
        )
        self.catalogue = read_catalogue(text, self.trust)
        return self.catalogue

    def new_product(
        self,
        product: str,
        *,
        application: str = "os",
        group: str = "desktop",
        need: int = 25,
        channel: str = "volume",
    ) -> Product:
        """A product for `publish`; only one of the volume channel has a setup key."""
        added = self._product(_Sort(product, application, group, need))
        return added if channel == "volume" else replace(added, channel=channel, setup_key="")

    def _product(self, sort: _Sort) -> Product:
        number = next(group.number for group in GROUPS if group.id == sort.group)
        return Product(
            id=sort.id,
            application=sort.application,
            group=sort.group,
            need=sort.need,
            name=sort.id.replace("-", " ").title(),
            edition="Test",
            channel="volume",
            spans=Periods(),
            identity=sort.identity,
            features=(),
            setup_key=self.key(Kind.SETUP, number).text,
        )

    # Keys.

    def key(self, kind: Kind, group: int) -> ProductKey:
        """A new product key of a kind and group number."""
        self._serials += 1
        prefix = prefix_of(self.publisher)
        product_key = make_product_key(self.tag_key, kind, prefix, group, self._serials)
        self._issued[product_key.key_id] = product_key
        return product_key

    def host_key(self, group: str, term: int = 0) -> ProductKey:
        """A new host key of a group; `term` times 30 days, 0 for no end."""
        number = next(key_group.number for key_group in GROUPS if key_group.id == group)
        key = self.key(Kind.HOST, number)
        self._terms[key.key_id] = term
        return key

    def machine_key(self, group: str, kind: Kind = Kind.MAK, term: int = 0) -> ProductKey:
        """A new key that activates machines; `term` times 30 days, 0 for no end. It has no pool."""
        number = next(key_group.number for key_group in GROUPS if key_group.id == group)
        key = self.key(kind, number)
        self._terms[key.key_id] = term
        return key

    # What its service answers.

    def confirm(self, installation_id: str, *, limit: int | None = None) -> ConfirmAnswer:
        """The answer to an installation ID; the same ID gets the same grant again.

        Args:
            installation_id: of a host or a machine.
            limit: machines that the terms allow; None sends no terms.
        """
        iid = parse_installation_id(installation_id)
        key = self._issued[iid.key_id]
        check_proof(iid, proof_key(self.publisher, iid.key_id, key.tag_bytes))
        group = next(group for group in GROUPS if group.number == iid.key_id.group)
        name = (iid.key_id, iid.binding)
        if name not in self._grants:
            self._grants[name] = self._issue(iid, group, day_of(self.now))
        try:
            grant = read_grant(self._grants[name], self.trust, self.publisher)
        except MusterError:  # the key that signed it was withdrawn: the same licence again
            old = read_claims(parse(self._grants[name], strict.SMALL, "grant"))
            self._grants[name] = self._issue(iid, group, old.day)
            grant = read_grant(self._grants[name], self.trust, self.publisher)
        entry = self.trust.find(grant.kid, GRANT_ROLE, grant.day)
        held = max(trust.version for trust in self.line if trust.version % 256 == iid.trust_residue)
        return ConfirmAnswer(
            grant=grant.text,
            confirmation_id=confirmation_of(grant.text, entry.index or 0).text,
            trust=tuple(trust.text for trust in self.line if trust.version > held),
            catalogue=self.catalogue.text,
            terms=None if limit is None else self.terms(grant, limit),
        )

    def _issue(self, iid: InstallationId, group: KeyGroup, day: int) -> str:
        return issue_grant(
            GrantValues(
                publisher=self.publisher,
                key_id=iid.key_id,
                binding=iid.binding,
                hw=iid.hw,
                term=self._terms.get(iid.key_id, 0),
                day=day,
                group=group,
            ),
            self.grant_key,
        )

    def terms(
        self,
        grant: Grant,
        limit: int,
        over: str = "refuse",
        version: int = 1,
        max_lease: int | None = None,
    ) -> str:
        """Terms for a host grant."""
        ceiling = Ceiling(limit, over, "A-1", "A customer", max_lease)
        return make_terms(grant, ceiling, version, self.now, self.grant_key)

    def router(self) -> Router:
        """Its service over HTTP, for `muster.net.serve.ThreadServer`; a key that it never issued
        is refused as `key/tag`."""
        return Router(
            [
                BoundRoute(routes.HOSTS_ACTIVATE, self._activate),
                BoundRoute(routes.ACTIVATIONS, self._activate),
                BoundRoute(routes.CATALOGUE, self._catalogue),
                BoundRoute(routes.TRUST, self._trust),
                BoundRoute(routes.HEALTHZ, lambda _: Answer(200, b"{}")),
            ]
        )

    def _activate(self, request: Request) -> Answer:
        asked = decode_confirm_request(request.body).installation_id
        key_id = parse_installation_id(asked).key_id
        if key_id not in self._issued:
            raise error("key/tag", masked="that host key")
        if any(revocation.key == key_id.text for revocation in self.revocations):
            raise error("publisher/key-revoked", key=key_id.text)
        return Answer(200, self.confirm(asked).encode())

    def _catalogue(self, request: Request) -> Answer:
        return Answer(200, self.catalogue.text.encode("ascii"), routes.JOSE)

    def _trust(self, request: Request) -> Answer:
        for trust in self.line:
            if trust.version >= int(request.params["version"]):
                return Answer(200, trust.text.encode("ascii"), routes.JOSE)
        raise error("wire/not-found")

    # Files.

    def file(self, url: str | None = None) -> PublisherFile:
        """The publisher file: the anchor, the versions above it, the newest catalogue."""
        return PublisherFile(
            publisher=self.publisher,
            anchor=self.line[0].text,
            trust=tuple(trust.text for trust in self.line[1:]),
            catalogue=self.catalogue.text,
            url=url,
        )

    def reply(self, request: RequestFile, *, limit: int | None = None) -> ReplyFile:
        """The reply file to a request file."""
        return ReplyFile(self.publisher, self.confirm(request.request.installation_id, limit=limit))

    def descriptor(self, product: str, url: str = "") -> bytes:
        """The product descriptor that a program of this publisher pins: trust version 1.

        `url` is where it says that the service listens, "" to say nothing.
        """
        wanted = self.catalogue.product(product)
        groups = [group for group in GROUPS if wanted.group in group.covers]
        return make_descriptor(self.line[0].text, wanted, groups, url)
