"""What the host knows of its publishers, verified from the pinned anchors each time it is read.

The store is a cache, never an authority: trust is walked from the anchor, catalogue, grants and
terms are read again, and what does not verify is left out and named (docs/spec/03-trust-and-
catalogue.md, 3.4). Refuses to know requests and the count.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from muster.core import settings as table
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.keys import KeyId
from muster.core.settings import Role, Value
from muster.core.values import replace
from muster.db.engine import Reader
from muster.host import challenges
from muster.host.keyring import KeyRing
from muster.host.model import HeldGrant, HostKey, HostView, PublisherView, Settings
from muster.host.tables import documents, host_keys, host_settings, own
from muster.lease.catalogue import Catalogue, read_catalogue
from muster.lease.grant import HOST, read_grant
from muster.lease.jws import PublicKey, SigningKey
from muster.lease.terms import read_terms
from muster.lease.trust import Trust, anchor, follow
from muster.net.peers import networks

_log = logging.getLogger("muster.host")


def load_view(
    reader: Reader,
    keyring: KeyRing,
    *,
    file_settings: Mapping[str, Value] | None = None,
    overrides: Mapping[str, Value] | None = None,
    known: HostView | None = None,
) -> HostView:
    """Read and verify everything.

    Args:
        reader: one state of the database.
        keyring: the signing keys.
        file_settings: values of settings that give way to `muster host set`.
        overrides: those that win over it.
        known: the view before; what did not change there is not verified again.
    Returns:
        The view; publishers whose anchor does not verify are left out and logged.
    """
    views: dict[str, PublisherView] = {}
    for row in documents.publishers(reader):
        before = None if known is None else known.publishers.get(row.publisher)
        try:
            views[row.publisher] = _publisher(reader, row, keyring, before)
        except MusterError as fault:
            _log.error("the publisher %s is left out: %s", row.publisher, fault)
    values = effective(host_settings.rows(reader), file_settings, overrides)
    return HostView(own.revision(reader), views, decision_settings(values))


def publisher_id(view: HostView, name: str | None) -> str | None:
    """A publisher's id from its id or label; None stays None. Raises: `host/unknown-publisher`,
    `host/which-publisher` (several have the label)."""
    if name is None or name in view.publishers:
        return name
    matches = [known.publisher for known in view.publishers.values() if known.label == name]
    if len(matches) > 1:
        raise error("host/which-publisher", count=len(matches))
    if not matches:
        raise error("host/unknown-publisher", publisher=name[:64])
    return matches[0]


def _publisher(
    reader: Reader, row: documents.PublisherRow, keyring: KeyRing, before: PublisherView | None
) -> PublisherView:
    faults: list[MusterError] = []
    line = walk_line(row.anchor, documents.trust_line(reader, row.publisher), faults)
    trust = line[-1]
    if trust.issuer != row.publisher:
        raise error("host/anchor", publisher=row.publisher)
    catalogue = _catalogue(row.catalogue, trust, before, faults)
    keys = tuple(host_keys.rows(reader, row.publisher))
    key_state = keyring.state(row.publisher)
    signer, key_fault = _signer(row.publisher, keyring, needed=bool(keys))
    if key_fault is not None:
        faults.append(key_fault)
        # A host that runs goes on with the key that it has in memory, and says what is wrong.
        signer = None if before is None else before.signer
    public = None if signer is None else signer.public
    keys = tuple(_bound_to(key, public) for key in keys)
    grants = tuple(
        held for key in keys if (held := held_grant(key, trust, public, faults)) is not None
    )
    return PublisherView(
        publisher=row.publisher,
        url=row.url,
        trust=trust,
        line=tuple(line),
        catalogue=catalogue,
        keys=keys,
        grants=grants,
        signer=signer,
        challenge_key=b"" if signer is None else challenges.key_of(signer),
        faults=tuple(faults),
        key_fault=key_fault,
        key_state=key_state,
        news_at=row.news_at,
    )


def _bound_to(key: HostKey, signer: PublicKey | None) -> HostKey:
    """An installed key with the binding of the signing key that this host has now: it is asked for
    with that, also where the file was lost and made anew after the key was installed."""
    if signer is None:
        return key
    binding = host_binding(key.publisher, KeyId.parse(key.key_id), signer.raw)
    return key if binding == key.binding else replace(key, binding=binding)


def _signer(
    publisher: str, keyring: KeyRing, *, needed: bool
) -> tuple[SigningKey | None, MusterError | None]:
    """The host signing key of a publisher, and what is wrong with its file."""
    try:
        signer = keyring.load(publisher)
    except MusterError as fault:
        return None, fault
    if signer is None and needed:
        path = str(keyring.path(publisher))
        return None, error("host/signing-key", path=path, detail="it is missing")
    return signer, None


def walk_line(text: str, above: Iterable[str], faults: list[MusterError]) -> list[Trust]:
    """The verified trust versions from the anchor on; what does not follow is passed over."""
    line = [anchor(text)]
    for version in above:
        try:
            line.append(follow(line[-1], version))
        except MusterError as fault:
            faults.append(fault)
    return line


def _catalogue(
    text: str | None, trust: Trust, before: PublisherView | None, faults: list[MusterError]
) -> Catalogue | None:
    if text is None:
        return None
    if before is not None and before.catalogue is not None:
        same = before.catalogue.text == text and before.trust.text == trust.text
        if same:
            return before.catalogue
    try:
        return read_catalogue(text, trust)
    except MusterError as fault:
        faults.append(fault)
        return None


def held_grant(
    key: HostKey, trust: Trust, signer: PublicKey | None, faults: list[MusterError]
) -> HeldGrant | None:
    """The grant of an installed key, when it verifies and is bound to this host's signing key."""
    if key.grant is None or signer is None:
        return None
    try:
        grant = read_grant(key.grant, trust, key.publisher)
        if grant.kind != HOST or grant.key != key.key_id:
            raise error("host/reply", detail="its grant is of another key")
        if host_binding(key.publisher, KeyId.parse(key.key_id), signer.raw) != grant.binding:
            raise error("host/other-signing-key", key=key.partial)
    except MusterError as fault:
        faults.append(fault)
        return None
    terms = None
    if key.terms is not None:
        try:
            terms = read_terms(key.terms, trust, grant)
        except MusterError as fault:
            faults.append(fault)
    return HeldGrant(grant, terms)


def effective(
    stored: Mapping[str, str],
    file_settings: Mapping[str, Value] | None = None,
    overrides: Mapping[str, Value] | None = None,
) -> dict[str, Value]:
    """The settings that are set at all, by name: settings file, `muster host set`, environment
    and flags, each winning over those before. A stored value that no longer fits is passed over."""
    values: dict[str, Value] = dict(file_settings or {})
    for name, text in stored.items():
        try:
            setting = table.lookup(Role.HOST, name)
            values[setting.name] = table.parse(setting, text)
        except MusterError as fault:
            _log.warning("the stored setting %s is passed over: %s", name, fault)
    values.update(overrides or {})
    return values


def decision_settings(values: Mapping[str, Value]) -> Settings:
    """The settings that decisions read, out of those that are set."""
    return Settings(
        retry_after=_integer(values, "retry_interval"),
        renew_after=_integer(values, "renewal_interval"),
        allowed_networks=networks(_texts(values, "allowed_networks")),
        trusted_proxies=networks(_texts(values, "trusted_proxies")),
        new_cmid_rate=_or_default(values, "new_cmid_rate"),
    )


def _integer(values: Mapping[str, Value], name: str) -> int | None:
    value = values.get(name)
    return value if isinstance(value, int) else None


def _or_default(values: Mapping[str, Value], name: str) -> int:
    value = values.get(name, table.lookup(Role.HOST, name).default)
    assert isinstance(value, int)
    return value


def _texts(values: Mapping[str, Value], name: str) -> tuple[str, ...]:
    value = values.get(name, ())
    assert isinstance(value, tuple)
    return value
