"""Which host key is meant, which ones wait for activation, and what a publisher is shown of one.

Decides from what the host knows (`HostView`), and changes nothing. Obeys
docs/spec/04-grant-function.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.ids import make_installation_id
from muster.core.keys import KeyId, Kind, ProductKey
from muster.host import rules
from muster.host.model import HostKey, HostView, PublisherView
from muster.lease import strict
from muster.lease.grant import read_claims
from muster.lease.jws import parse
from muster.lease.steps import EARLY
from muster.wire.exchange import RequestFile
from muster.wire.publisher import ConfirmRequest

_LOST = ("host/grant-revoked", "host/grant-expired")


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


def find_key(view: HostView, name: str) -> HostKey:
    """An installed key by last group or key id. Raises `host/unknown-key`, `host/which-key`."""
    matching = [
        key for known in view.publishers.values() for key in known.keys if _is_named(key, name)
    ]
    if not matching:
        raise error("host/unknown-key", key=name[:32])
    return only(matching)


def pending(
    view: HostView,
    publisher: str | None = None,
    name: str | None = None,
    now: int | None = None,
) -> list[HostKey]:
    """Keys that wait for activation: their grant is missing, does not verify, or has not begun.

    Args:
        publisher: only keys of the publisher with this id.
        name: only this key, by last group or key id.
        now: Unix seconds, for grants that begin later [the publisher's clock was ahead]; None
            leaves these as they are.
    Raises: `host/unknown-publisher`; what is wrong with the signing key that a grant would be for.
    """
    if publisher is not None and publisher not in view.publishers:
        raise error("host/unknown-publisher", publisher=publisher)
    keys = []
    for known in view.publishers.values():
        granted = {
            held.grant.key for held in known.grants if now is None or now >= held.grant.iat - EARLY
        }
        wanted = publisher is None or known.publisher == publisher
        for key in known.keys:
            chosen = name is None or _is_named(key, name)
            if chosen and wanted and key.key_id not in granted:
                if known.key_fault is not None:
                    raise known.key_fault
                keys.append(key)
    return keys


def waiting(view: HostView, publisher: str | None, name: str | None, now: int) -> list[HostKey]:
    """Keys that wait, as `pending`; a key that is not installed and a host without keys refuse, and
    so do keys that all have grants which are revoked or have ended.

    Raises: `host/unknown-key`, `host/which-key`, `host/no-key`, `host/unknown-publisher`,
        `host/grant-revoked`, `host/grant-expired`.
    """
    if name is not None:
        find_key(view, name)
    if not any(
        known.keys for known in view.publishers.values() if publisher in (None, known.publisher)
    ):
        raise error("host/no-key")
    found = pending(view, publisher, name, now)
    if not found:
        _refuse_lost(view, publisher, name, now)
    return found


def activated(known: PublisherView) -> list[HostKey]:
    """Keys of a publisher whose grant is for the signing key that this host has now: they are shown
    to the service again, which uses no activation."""
    return [key for key in known.keys if _is_ours(key)]


def _is_ours(key: HostKey) -> bool:
    if key.grant is None:
        return False
    try:
        return read_claims(parse(key.grant, strict.SMALL, "grant")).binding == key.binding
    except MusterError:
        return False


def one_publisher(known: Iterable[str]) -> None:
    """Refuse to show what is for several publishers to one address. Raises:
    `host/which-publisher`."""
    number = len(set(known))
    if number > 1:
        raise error("host/which-publisher", count=number)


def lost(known: PublisherView, now: int) -> set[str]:
    """Ids of the keys of a publisher whose grant is revoked or has ended."""
    return {
        held.grant.key
        for held in known.grants
        if (fault := rules.live(known, held, now)) is not None and fault.code in _LOST
    }


def _refuse_lost(view: HostView, publisher: str | None, name: str | None, now: int) -> None:
    faults = [
        rules.live(known, held, now)
        for known in view.publishers.values()
        if publisher in (None, known.publisher)
        for held in known.grants
        for key in known.keys
        if key.key_id == held.grant.key and (name is None or _is_named(key, name))
    ]
    lost = [fault for fault in faults if fault is not None and fault.code in _LOST]
    if lost and len(lost) == len(faults):
        raise lost[0]


def only(keys: Sequence[HostKey]) -> HostKey:
    """The one key that is meant. Raises: `host/no-key`, `host/which-key`."""
    if not keys:
        raise error("host/no-key")
    if len(keys) > 1:
        raise _which_key(keys)
    return keys[0]


def installation_id(view: HostView, key: HostKey) -> str:
    """The installation ID of a host key, 15 groups joined by dashes."""
    trust = view.publishers[key.publisher].trust
    return make_installation_id(
        trust.version, KeyId.parse(key.key_id), key.binding, key.hw, key.proof_key
    ).text


def request_file(view: HostView, key: HostKey, name: str = "") -> RequestFile:
    """The request file of a host key; with a name of this host where one was given."""
    return RequestFile(key.publisher, ConfirmRequest(installation_id(view, key), name))


def _is_named(key: HostKey, name: str) -> bool:
    return name.upper() == key.partial or name == key.key_id


def _which_key(keys: Sequence[HostKey]) -> MusterError:
    names = ", ".join(f"{key.masked} ({key.key_id})" for key in keys)
    return error("host/which-key", count=len(keys), keys=names)
