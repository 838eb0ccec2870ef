"""Activation of a host: its keys get the grants of their publishers, online, by file or by digits.

Decides which keys are shown to whom, and takes the answers. Each answer is verified and kept in a
transaction of its own, after the publisher's service has given it. Refuses to know how a service is
reached, and what of an answer verifies (`muster.host.act.grants`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.host import keys, rules
from muster.host.act import grants, updates
from muster.host.model import Activated, HostKey, HostView, PublisherView
from muster.host.online import PublisherClient
from muster.host.open import OpenHost
from muster.host.results import ActivatedKey, HostActivation, RefusedKey, key_members
from muster.host.view import publisher_id
from muster.lease.steps import EARLY
from muster.wire.exchange import ConfirmationFile, ReplyFile
from muster.wire.publisher import ConfirmAnswer

Service = Callable[[PublisherView], PublisherClient]
"""Gives the client of a publisher's service. Raises: `host/no-url`."""


def activate(
    host: OpenHost,
    service: Service,
    publisher: str | None = None,
    key: str | None = None,
    name: str = "",
    *,
    one_address: bool = False,
) -> HostActivation:
    """Ask the publishers' services for the grants of all keys that wait; a key that is refused
    stops no other, and is asked for again by the running host.

    Args:
        publisher: only keys of this one, by id or label.
        key: only this one, by last group or key id.
        name: of this host, that the publisher may see.
        one_address: the service is at one address for all, so that one publisher must be meant.
    Raises: as `keys.waiting`; `host/which-publisher`; where the host has one key and that is
        refused, why: `host/no-url`, `net/…`, `host/grant-not-yet`, as `grants.accept`.
    """
    view, now = host.current(), host.clock.now()
    accepted, refused = [], []
    asked = keys.waiting(view, publisher_id(view, publisher), key, now)
    if one_address:
        keys.one_publisher(waiting.publisher for waiting in asked)
    for waiting in asked:
        known = view.publishers[waiting.publisher]
        try:
            answer = _ask(host, service(known), known, waiting, name)
            activated = grants.accept(host, known.publisher, answer)
            if now < activated.grant.iat - EARLY:
                raise error("host/grant-not-yet", label=known.label)
            accepted.append(activated)
        except MusterError as fault:
            grants.wait(host, waiting, name, fault)
            refused.append(RefusedKey(**key_members(waiting, activated=False), error=fault))
    if key is None:
        told = {activated.key.key_id for activated in accepted} | {one.key for one in refused}
        refused += _unused(view, publisher_id(view, publisher), now, told)
    if len(refused) == 1 and not accepted and (key is not None or _alone(view)):
        raise refused[0].error
    return _activation_of(accepted, refused)


def _ask(
    host: OpenHost, client: PublisherClient, known: PublisherView, key: HostKey, name: str
) -> ConfirmAnswer:
    """Show a key to its service; where the publisher's trust has moved on since its file was
    written, take its news and show the key once more."""
    try:
        return client.activate(keys.installation_id(host.current(), key), name)
    except MusterError as fault:
        if fault.code != "publisher/update-trust-first":
            raise
    updates.fetch(host, client, known, came=True)
    return client.activate(keys.installation_id(host.current(), key), name)


def _unused(
    view: HostView, publisher: str | None, now: int, told: Collection[str]
) -> list[RefusedKey]:
    """Keys whose grants are revoked, have ended or lack their terms, so that their machines are
    refused; without those of which something is told already."""
    return [
        RefusedKey(**key_members(key, activated=False), error=fault)
        for known in view.publishers.values()
        if publisher in (None, known.publisher)
        for key, fault in rules.unused(known, now)
        if key.key_id not in told
    ]


def _alone(view: HostView) -> bool:
    """Whether there is one host key, so that nobody asks which one is meant."""
    return sum(len(known.keys) for known in view.publishers.values()) == 1


def apply_reply(host: OpenHost, reply: ReplyFile | ConfirmationFile) -> HostActivation:
    """Take what a publisher answered in a file. Raises: as `grants.accept` and `confirm`."""
    if isinstance(reply, ConfirmationFile):
        return _activation_of([grants.confirm(host, reply.confirmation_id, reply.publisher)])
    return _activation_of([grants.accept(host, reply.publisher, reply.answer)])


def confirm(host: OpenHost, digits: str, publisher: str | None = None) -> HostActivation:
    """Take the confirmation ID that was read out on the telephone.

    Args:
        digits: as typed.
        publisher: only keys of this one, by id or label.
    Raises: as `grants.confirm`.
    """
    return _activation_of([grants.confirm(host, digits, publisher)])


def _activation_of(
    accepted: Sequence[Activated], refused: Sequence[RefusedKey] = ()
) -> HostActivation:
    changed = any(activated.changed or activated.documents_changed for activated in accepted)
    return HostActivation(changed, tuple(map(_key, accepted)), tuple(refused))


def _key(activated: Activated) -> ActivatedKey:
    key, grant = activated.key, activated.grant
    return ActivatedKey(
        **key_members(key),
        changed=activated.changed,
        label=activated.label,
        group=grant.group,
        covers=grant.covers,
        expires_at=grant.exp,
        lacks_terms=activated.lacks_terms,
    )
