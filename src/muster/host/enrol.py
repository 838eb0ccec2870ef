"""Enrolling a host: publishers, host keys, grants, catalogues; online, by file and by telephone.

Decides what an administrator's command changes and what of it verifies. Every door ends in the
same `_accept`. Refuses to know commands and texts. Obeys docs/spec/04-grant-function.md and
docs/spec/08-http.md, sections 8.5 and 8.6. Every function is idempotent: a second run changes
nothing and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from muster.core import identity
from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.clock import Clock, Dice
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.ids import ConfirmationId, parse_confirmation_id, proof_key
from muster.core.keys import KeyId, Kind, ProductKey, parse_product_key
from muster.db.engine import Database, Transaction
from muster.host import keys
from muster.host.keyring import KeyRing
from muster.host.model import Activated, HostKey, HostView, Installed, PublisherView, Update
from muster.host.tables import audit, documents, host_keys, own
from muster.host.view import load_view, publisher_id
from muster.lease.catalogue import Catalogue, accept_catalogue, read_catalogue, still_valid
from muster.lease.grant import HOST, Grant, read_grant, rebuild_grant
from muster.lease.terms import accept_terms, read_terms
from muster.lease.trust import Trust, anchor, follow, parse_trust
from muster.wire.exchange import PublisherFile, ReplyFile, RequestFile
from muster.wire.publisher import ConfirmAnswer


class HostAdmin:
    """What administrators do to a host's store.

    Args:
        database: the host's, from `store.open_store`.
        keyring: the host signing keys.
        clock, dice: the machine's, or a test's.
    """

    def __init__(self, database: Database, keyring: KeyRing, clock: Clock, dice: Dice) -> None:
        self.database = database
        self._keyring = keyring
        self._clock = clock
        self._dice = dice

    def view(self) -> HostView:
        """What the host knows, verified."""
        with self.database.snapshot() as reader:
            return load_view(reader, self._keyring)

    # Publishers and catalogues.

    def add_publisher(self, file: PublisherFile) -> Update:
        """Pin a publisher by its file; of one that is pinned, take what is newer.

        Raises: `host/anchor` (the file does not follow from what is pinned), `trust/…`,
            `catalogue/…`, `licence/…`.
        """
        now = self._clock.now()
        with self.database.transaction() as tx:
            own.initialise(tx, self._dice.token(32))
            known = self._known(tx, file.publisher)
            if known is not None:
                return self._update(tx, known, (file.anchor, *file.trust), file.catalogue, file.url)
            pinned = anchor(file.anchor)
            # Only version 1 proves its publisher id [a higher anchor could claim anybody's id, and
            # the host would keep the true publisher out].
            if pinned.issuer != file.publisher or pinned.version != 1:
                raise error("host/anchor", publisher=file.publisher)
            trust, line = pinned, []
            for text in file.trust:
                trust = follow(trust, text)
                line.append((trust.version, text))
            catalogue = read_catalogue(file.catalogue, trust)
            documents.add_publisher(
                tx,
                documents.PublisherRow(file.publisher, file.anchor, file.url, file.catalogue, now),
            )
            documents.add_trust(tx, file.publisher, line)
            audit.write(tx, now, Event.HOST_INIT, file.publisher, pinned.label)
            own.touch(tx)
        return Update(
            publisher=file.publisher,
            label=pinned.label,
            trust_before=0,
            trust=trust.version,
            catalogue_before=0,
            catalogue=catalogue.version,
            added=True,
        )

    def update(
        self,
        publisher: str,
        trust: Iterable[str] = (),
        catalogue: str | None = None,
        url: str | None = None,
    ) -> Update:
        """Follow trust and take a newer catalogue of a known publisher.

        Raises: `host/unknown-publisher`, `catalogue/older`, and as `add_publisher`.
        """
        with self.database.transaction() as tx:
            known = self._known(tx, publisher)
            if known is None:
                raise error("host/unknown-publisher", publisher=publisher)
            return self._update(tx, known, trust, catalogue, url)

    def remove_publisher(self, name: str) -> str:
        """Forget a publisher, by id or label, with its keys and grants; the others go on.

        Returns: its id. Raises: `host/unknown-publisher`.
        """
        with self.database.transaction() as tx:
            publisher = publisher_id(load_view(tx, self._keyring), name)
            assert publisher is not None
            documents.remove_publisher(tx, publisher)
            now = self._clock.now()
            audit.write(tx, now, Event.HOST_PUBLISHER_REMOVE, publisher, publisher)
            own.touch(tx)
        return publisher

    def _known(self, tx: Transaction, publisher: str) -> PublisherView | None:
        """A pinned publisher, verified; one that is stored and does not verify raises."""
        for row in documents.publishers(tx):
            if row.publisher == publisher:
                found = load_view(tx, self._keyring).publishers.get(publisher)
                if found is None:
                    raise error("host/anchor", publisher=publisher)
                return found
        return None

    def _update(
        self,
        tx: Transaction,
        known: PublisherView,
        texts: Iterable[str],
        catalogue: str | None,
        url: str | None,
    ) -> Update:
        trust = self._follow(tx, known, texts)
        held = known.catalogue
        if held is not None and not still_valid(held, trust):
            held = None
        taken = held if catalogue is None else accept_catalogue(held, catalogue, trust)
        self._keep_catalogue(tx, known, taken)
        if url is not None and url != known.url:
            documents.set_url(tx, known.publisher, url)
            own.touch(tx)
        return Update(
            publisher=known.publisher,
            label=known.label,
            trust_before=known.trust.version,
            trust=trust.version,
            catalogue_before=known.catalogue_version,
            catalogue=0 if taken is None else taken.version,
        )

    def _follow(self, tx: Transaction, known: PublisherView, texts: Iterable[str]) -> Trust:
        """The newest trust that the texts lead to; what is held already is passed over.

        A version that is held with another text was signed by a thief of the working root, here or
        there: only a version that follows all the same, by the reserve root, tells which.
        """
        trust, steps, fork = known.trust, [], False
        held = {one.version: one.text for one in known.line}
        for text in texts:
            offered = parse_trust(text)
            if offered.issuer != known.publisher:
                raise error("host/anchor", publisher=known.publisher)
            if offered.version <= trust.version:
                # A line that comes back to what is held is no fork any more.
                fork = held.get(offered.version, text) != text
                if fork and offered.version == known.line[0].version:
                    raise error("host/anchor", publisher=known.publisher)
                continue
            trust = follow(trust, text)
            steps.append((trust.version, text))
        if fork and not steps:
            raise error("host/anchor", publisher=known.publisher)
        if steps:
            now = self._clock.now()
            documents.add_trust(tx, known.publisher, steps)
            detail = f"version {trust.version}"
            audit.write(tx, now, Event.HOST_TRUST_FOLLOW, known.publisher, known.label, detail)
            own.touch(tx)
        return trust

    def _keep_catalogue(
        self, tx: Transaction, known: PublisherView, taken: Catalogue | None
    ) -> None:
        held = None if known.catalogue is None else known.catalogue.text
        text = None if taken is None else taken.text
        if text == held:
            return
        documents.set_catalogue(tx, known.publisher, text)
        if taken is not None:
            now, detail = self._clock.now(), f"version {taken.version}"
            audit.write(tx, now, Event.HOST_CATALOGUE_ACCEPT, known.publisher, known.label, detail)
        own.touch(tx)

    # Host keys.

    def install_key(
        self, text: str, facts: Sequence[Fact], publisher: str | None = None
    ) -> Installed:
        """Install a host key: check it, make the host signing key, compute binding and hardware id.

        Args:
            text: the product key as typed.
            facts: of this machine, for the hardware id.
            publisher: which one is meant, by id or label, where several have the same prefix.
        Raises: `key/…`, `host/key-setup`, `host/key-mak`, `host/key-machine`,
            `host/key-publisher`, `host/key-group`, `host/which-publisher`,
            `host/unknown-publisher`.
        """
        key = parse_product_key(text)
        check_kind(key)
        with self.database.snapshot() as reader:
            view = load_view(reader, self._keyring)
            random = own.store_random(reader)
        known = _publisher_of(view, key, publisher_id(view, publisher))
        _check_group(known, key)
        # A key file is made before the transaction, never inside of it.
        signing = self._keyring.ensure(known.publisher, self._dice)
        primary = identity.primary_fact(facts, random)
        key_id, tag, name = key.key_id, key.tag_bytes, known.publisher
        made = HostKey(
            publisher=name,
            key_id=key_id.text,
            partial=key.text[-5:],
            binding=identity.host_binding(name, key_id, signing.public.raw),
            hw=identity.hardware_id(name, key_id, tag, primary),
            primary=primary.name,
            proof_key=proof_key(name, key_id, tag),
            installed_at=self._clock.now(),
        )
        survives = primary.name != identity.STORE_RANDOM
        with self.database.transaction() as tx:
            before = _find(host_keys.rows(tx, name), key_id.text)
            if before is not None and before.binding == made.binding:
                made = replace(
                    made,
                    installed_at=before.installed_at,
                    grant=before.grant,
                    terms=before.terms,
                    activated_at=before.activated_at,
                )
            if made == before:
                return Installed(made, known.label, changed=False, survives=survives)
            host_keys.put(tx, made)
            detail = f"{key_id.text}, group {key.group}"
            audit.write(tx, self._clock.now(), Event.HOST_KEY_INSTALL, name, made.partial, detail)
            own.touch(tx)
        return Installed(made, known.label, changed=True, survives=survives)

    def remove_key(self, name: str) -> HostKey:
        """Remove a host key with its grant, by last group or key id. Raises `host/unknown-key`."""
        with self.database.transaction() as tx:
            key = keys.find_key(load_view(tx, self._keyring), name)
            host_keys.remove(tx, key.publisher, key.key_id)
            now = self._clock.now()
            audit.write(tx, now, Event.HOST_KEY_REMOVE, key.publisher, key.partial, key.key_id)
            own.touch(tx)
        return key

    def find_key(self, name: str) -> HostKey:
        """An installed key by last group or key id. Raises `host/unknown-key`,
        `host/which-key`."""
        return keys.find_key(self.view(), name)

    def pending(self, publisher: str | None = None, name: str | None = None) -> list[HostKey]:
        """Keys that wait for activation: their grant is missing or does not verify.

        Args:
            publisher: only its keys. name: only this key, by last group or key id.
        """
        return keys.pending(self.view(), publisher, name)

    # Activation.

    def installation_id(self, key: HostKey) -> str:
        """The installation ID of a host key, 15 groups joined by dashes."""
        return keys.installation_id(self.view(), key)

    def request_file(self, key: HostKey, name: str = "") -> RequestFile:
        """The request file of a host key; with a name of this host where one was given."""
        return keys.request_file(self.view(), key, name)

    def accept_reply(self, reply: ReplyFile) -> Activated:
        """Take a reply file. Raises: `host/unknown-publisher`, and as `accept`."""
        return self.accept(reply.publisher, reply.answer)

    def accept(self, publisher: str, answer: ConfirmAnswer) -> Activated:
        """Take a publisher's answer: follow its trust, keep grant, terms and catalogue.

        Nothing of it is kept unless the grant verifies and is this host's.
        Raises: `host/reply`, `host/unknown-publisher`, `trust/…`, `licence/…`, `terms/…`,
            `catalogue/…`.
        """
        with self.database.transaction() as tx:
            known = self._known(tx, publisher)
            if known is None:
                raise error("host/unknown-publisher", publisher=publisher)
            trust = self._follow(tx, known, answer.trust)
            taken = self._newest(known, answer.catalogue, trust)
            grant = read_grant(answer.grant, trust, publisher)
            following = replace(known, trust=trust, catalogue=taken)
            activated = self._accept(tx, following, grant, answer.terms)
            self._keep_catalogue(tx, known, taken)
        return activated

    def confirm(self, digits: str, publisher: str | None = None) -> Activated:
        """Take the confirmation ID that was read out on the telephone.

        With several keys waiting, the one that verifies wins; `publisher` (id or label) limits
        them to its own.
        Raises: `host/unknown-publisher`, `digits/…`, `id/…`, `host/no-key`, `confirmation/…`.
        """
        confirmation = parse_confirmation_id(digits)
        with self.database.transaction() as tx:
            view = load_view(tx, self._keyring)
            waiting = keys.pending(view, publisher_id(view, publisher))
            if not waiting:
                raise error("host/no-key")
            failed: MusterError | None = None
            for key in waiting:
                known = view.publishers[key.publisher]
                try:
                    grant = _rebuilt(known, key, confirmation)
                except MusterError as fault:
                    failed = fault
                    continue
                return self._accept(tx, known, grant, None)
        assert failed is not None
        raise failed

    def _newest(self, known: PublisherView, text: str, trust: Trust) -> Catalogue | None:
        """The newer of the catalogue held and the one that came; an older one is passed over."""
        try:
            return accept_catalogue(known.catalogue, text, trust)
        except MusterError as fault:
            if fault.code == "catalogue/older":
                return known.catalogue
            raise

    def _accept(
        self,
        tx: Transaction,
        known: PublisherView,
        grant: Grant,
        terms: str | None,
    ) -> Activated:
        key, trust = _find(known.keys, grant.key), known.trust
        if grant.kind != HOST:
            raise error("host/reply", detail="it licenses a single machine, not a host")
        if key is None:
            raise error("host/reply", detail=f"its host key {grant.key} is not installed here")
        if grant.binding != key.binding:
            raise error("host/reply", detail="it is bound to another host signing key")
        kept = key.terms
        if terms is not None:
            held = None
            if key.terms is not None:
                try:
                    held = read_terms(key.terms, trust, grant)
                except MusterError:
                    held = None
            kept = accept_terms(held, terms, trust, grant).text
        now = self._clock.now()
        made = replace(key, grant=grant.text, terms=kept, activated_at=key.activated_at or now)
        lacks = kept is None and _requires_terms(known.catalogue, grant.group)
        done = Activated(made, grant, made != key, known.label, lacks)
        if not done.changed:
            return done
        host_keys.put(tx, made)
        if made.grant != key.grant:
            audit.write(tx, now, Event.HOST_GRANT_ACCEPT, key.publisher, key.partial, grant.jti)
        if made.terms != key.terms:
            audit.write(tx, now, Event.HOST_TERMS_ACCEPT, key.publisher, key.partial, grant.jti)
        own.touch(tx)
        return done


def check_kind(key: ProductKey) -> None:
    """Refuse a product key that is no host key, each kind with its own words."""
    match key.kind:
        case Kind.HOST:
            return
        case Kind.SETUP:
            raise error("host/key-setup", masked=key.masked)
        case Kind.MAK:
            raise error("host/key-mak", masked=key.masked)
        case _:
            raise error("host/key-machine", masked=key.masked, kind=key.kind.text)


def _publisher_of(view: HostView, key: ProductKey, publisher: str | None) -> PublisherView:
    if publisher is not None and publisher not in view.publishers:
        raise error("host/unknown-publisher", publisher=publisher)
    found = [
        one
        for one in view.publishers.values()
        if identity.prefix_of(one.publisher) == key.prefix
        and (publisher is None or one.publisher == publisher)
    ]
    if not found:
        raise error("host/key-publisher", masked=key.masked)
    if len(found) > 1:
        raise error("host/which-publisher", count=len(found))
    return found[0]


def _check_group(known: PublisherView, key: ProductKey) -> None:
    try:
        if known.catalogue is not None:
            known.catalogue.group_numbered(key.group)
            return
    except MusterError:
        pass
    raise error("host/key-group", group=key.group, masked=key.masked)


def _find(keys: Iterable[HostKey], key_id: str) -> HostKey | None:
    return next((key for key in keys if key.key_id == key_id), None)


def _requires_terms(catalogue: Catalogue | None, group: str) -> bool:
    groups = () if catalogue is None else catalogue.groups
    return any(each.id == group and each.terms == "required" for each in groups)


def _rebuilt(known: PublisherView, key: HostKey, confirmation: ConfirmationId) -> Grant:
    key_id = KeyId.parse(key.key_id)
    if known.catalogue is None:
        raise error("host/key-group", group=key_id.group, masked=key.partial)
    group = known.catalogue.group_numbered(key_id.group)
    text = rebuild_grant(
        confirmation, key.publisher, key_id, key.binding, key.hw, group, known.trust
    )
    return read_grant(text, known.trust, key.publisher)
