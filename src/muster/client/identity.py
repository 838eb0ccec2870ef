"""How a machine gets and keeps its CMID and the salt of its fingerprint. Pure; dice are passed in.

Decides what each identity mode derives, when a stored identity no longer is this machine's, and
what a notice about a duplicate CMID changes. Obeys docs/spec/01-identities.md, sections 1.3 and
1.6, and 05-verification.md, section 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from muster.client.model import Identity
from muster.client.schedule import NOTICE_PAUSE
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.identity import (
    Fact,
    commitments,
    device_salt,
    device_seed,
    explicit_seed,
    machine_cmid,
)
from muster.core.values import dataclass, field, replace
from muster.lease.jws import MemorySigningKey

MODES = ("machine", "device", "node", "explicit")
"""The modes that a machine can have."""
_NO_BOOT = "unknown"


@dataclass(frozen=True, slots=True)
class Made:
    """An identity and the 32 byte seed of its machine key, which only the owner may read."""

    identity: Identity
    seed: bytes = field(repr=False)


def check_mode(mode: str, allowed: Sequence[str], product: str) -> None:
    """Refuse an identity mode that this program or this product does not offer.

    Args:
        allowed: the modes that the product lists.
    Raises: `client/identity-mode`.
    """
    if mode not in MODES or mode not in allowed:
        listed = ", ".join(allowed)
        raise error("client/identity-mode", mode=mode, product=product, allowed=listed)


def new_identity(
    mode: str, publisher: str, facts: Sequence[Fact], dice: Dice, given: str = ""
) -> Made:
    """Make the identity of a machine that has none.

    Args:
        mode: one of `MODES`.
        facts: of this machine now.
        given: the operator's id; for mode explicit only.
    Raises: `client/no-system-uuid` (mode device), `id/explicit`.
    """
    salt, store_random = dice.token(32), dice.token(32)
    match mode:
        case "device":
            uuid = _system_uuid(facts)
            seed = device_seed(uuid, publisher)
            salt = device_salt(uuid, publisher)
        case "explicit":
            seed = explicit_seed(publisher, given)
        case _:
            seed = dice.token(32)
    identity = Identity(
        mode=mode,
        cmid=_cmid(publisher, mode, seed),
        salt=salt,
        store_random=store_random,
        given=given if mode == "explicit" else "",
        made_on=commitments(salt, facts),
    )
    return Made(identity, seed)


def _cmid(publisher: str, mode: str, seed: bytes) -> str:
    return machine_cmid(publisher, mode, MemorySigningKey(seed).public.raw)


def machine_key(
    identity: Identity, publisher: str, facts: Sequence[Fact], seeds: Mapping[str, bytes]
) -> MemorySigningKey | None:
    """The machine key behind the identity's CMID, or None where it is lost.

    Modes `device` and `explicit` make theirs again when the store has lost it.

    Args:
        seeds: what the store keeps, by CMID.
    """
    seed = seeds.get(identity.cmid)
    if seed is None and identity.mode == "explicit":
        seed = explicit_seed(publisher, identity.given)
    elif seed is None and identity.mode == "device":
        uuid = next((fact.value for fact in facts if fact.name == "system-uuid"), None)
        seed = None if uuid is None else device_seed(uuid, publisher)
    if seed is None:
        return None
    key = MemorySigningKey(seed)
    stored = machine_cmid(publisher, identity.mode, key.public.raw)
    return key if stored == identity.cmid else None


def current_identity(
    identity: Identity, publisher: str, facts: Sequence[Fact], boot: str
) -> Identity:
    """The identity as it is at this boot on this machine.

    Only mode `device` changes: a pooled desktop that starts from a golden image derives its own
    CMID, and one that took a random CMID after a notice returns to its own at the next boot.

    Args:
        boot: the id of the present boot, "" where the system has none.
    Raises: `client/no-system-uuid`.
    """
    if identity.mode != "device":
        return identity
    uuid = _system_uuid(facts)
    same_device = commitments(identity.salt, [Fact("system-uuid", uuid)])[0] in identity.made_on
    if same_device and identity.boot in ("", boot or _NO_BOOT):
        return identity
    salt = identity.salt if same_device else device_salt(uuid, publisher)
    return replace(
        identity,
        cmid=_cmid(publisher, "device", device_seed(uuid, publisher)),
        salt=salt,
        boot="",
        made_on=identity.made_on if same_device else commitments(salt, facts),
    )


def renewed(identity: Identity, publisher: str, facts: Sequence[Fact], dice: Dice) -> Made:
    """A new identity for a store that was copied here (modes `machine` and `node`)."""
    fresh = new_identity(identity.mode, publisher, facts, dice)
    return Made(replace(fresh.identity, boot=identity.boot), fresh.seed)


def rekeyed(identity: Identity, publisher: str, boot: str, dice: Dice) -> Made | None:
    """The identity with another machine key and so another CMID, on the same machine.

    Mode `device` keeps a random one until the next boot; `explicit` has none but that of the id
    that the operator gave.
    """
    if identity.mode == "explicit":
        return None
    seed = dice.token(32)
    until = (boot or _NO_BOOT) if identity.mode == "device" else ""
    cmid = _cmid(publisher, identity.mode, seed)
    return Made(replace(identity, cmid=cmid, boot=until), seed)


def replacement(
    identity: Identity,
    publisher: str,
    facts: Sequence[Fact],
    boot: str,
    seeds: Mapping[str, bytes],
    dice: Dice,
    *,
    copied: bool,
) -> tuple[Made, MusterError] | None:
    """The identity that a machine takes instead of its own before it asks, and what is told of it.

    Args:
        seeds: what the store keeps, by CMID.
        copied: whether the store was made on another machine.
    Returns:
        None where the identity can stay: it has its key, or mode `explicit` has no other.
    """
    if copied and identity.mode in ("machine", "node"):
        fresh = renewed(identity, publisher, facts, dice)
        return fresh, error("client/new-identity", old=identity.cmid, new=fresh.identity.cmid)
    if machine_key(identity, publisher, facts, seeds) is not None:
        return None
    # The store lost its key: nobody can ask in the name of the old CMID any more.
    lost = rekeyed(identity, publisher, boot, dice)
    if lost is None:
        return None
    return lost, error("client/key-lost", old=identity.cmid, new=lost.identity.cmid)


def may_heed_notice(identity: Identity, now: int) -> bool:
    """Whether a notice may change this identity: at most one in 24 hours.

    A last change that is in the future was told by another clock and bars nothing.
    """
    since = now - identity.changed
    return identity.changed == 0 or not 0 <= since < NOTICE_PAUSE


def after_notice(
    identity: Identity, publisher: str, boot: str, now: int, dice: Dice
) -> Made | None:
    """The identity after a verified notice that another machine uses its CMID.

    None in mode `explicit`: the operator gave the same id twice.
    """
    fresh = rekeyed(identity, publisher, boot, dice)
    return None if fresh is None else Made(replace(fresh.identity, changed=now), fresh.seed)


def _system_uuid(facts: Sequence[Fact]) -> str:
    for fact in facts:
        if fact.name == "system-uuid":
            return fact.value
    raise error("client/no-system-uuid")
