"""Values that only this host can make for a machine, and that its request must carry.

Decides which challenge a machine is given and which one holds. Nothing is stored for a challenge:
it is an HMAC over what it is good for. Refuses to know requests, tables and clocks. Pure. Obeys
docs/spec/06-counting.md, section 6.4.1.

One that was given with a lease names the request that was answered and the latest `sent_at`, so it
is spent when the host keeps the machine's next request or release; it holds for a request that was
made just now, since one that was refused spends nothing. One that was given with a refusal names
the minute, and in mode `explicit` the release before, which it does not outlive; it is the only
kind that a release may carry.
"""

from __future__ import annotations

import hashlib
import hmac

from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.jws import SigningKey

MINUTE = 60
"""Seconds; a challenge of a refusal holds in the minute in which it was given and in the next."""
JUST_NOW = 120
"""Seconds between the clocks of machine and host within which a request was made just now."""
_WORD = b"muster-challenge-v1\n"


def key_of(signer: SigningKey) -> bytes:
    """The HMAC key, 32 bytes: follows from the host key, so that every process which has that
    one, and each after a restart, knows the challenges of the others."""
    return hashlib.sha256(signer.sign(_WORD)).digest()


def after(key: bytes, publisher: str, cmid: str, nonce: str, asked_at: int) -> str:
    """The challenge for the machine's request after the one with this nonce.

    Args:
        key: as `key_of` made it.
        nonce: of the last request that is kept of the machine.
        asked_at: the `sent_at` that is kept of it, Unix seconds.
    Returns: 22 characters of base64url, 16 bytes.
    """
    return _made(key, "after", publisher, cmid, f"{nonce} {asked_at}")


def fresh(key: bytes, publisher: str, cmid: str, released: int, now: int) -> str:
    """The challenge for a machine that carried none which holds.

    Args:
        released: in mode `explicit` the `sent_at` that is kept, of the latest release or removal;
            0 in other modes, whose requests are in an order anyway.
        now: the host's clock in Unix seconds.
    """
    return _made(key, "fresh", publisher, cmid, f"{now // MINUTE} {released}")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a host keeps of a machine, as far as challenges name it: `nonce` of its last request,
    "" where none is; `asked_at` the latest `sent_at`, 0 where none is; `explicit` its mode."""

    nonce: str = ""
    asked_at: int = 0
    explicit: bool = False

    @property
    def released(self) -> int:
        """As `fresh` takes it."""
        return self.asked_at if self.explicit else 0


def is_fresh(key: bytes, publisher: str, cmid: str, kept: Kept, challenge: str, now: int) -> bool:
    """Whether this host made the challenge for this machine within these two minutes.

    Args:
        challenge: as the message carries it, "" for none.
        now: the host's clock in Unix seconds.
    """
    good = [fresh(key, publisher, cmid, kept.released, at) for at in (now, now - MINUTE)]
    return any(hmac.compare_digest(one, challenge) for one in good)


def holds(
    key: bytes, publisher: str, cmid: str, kept: Kept, challenge: str, sent_at: int, now: int
) -> bool:
    """Whether this host made the challenge for this machine's request and it is not spent.

    Args:
        challenge: as the request carries it, "" for none.
        sent_at: the request's, by the machine's clock in Unix seconds.
        now: the host's clock in Unix seconds.
    """
    if is_fresh(key, publisher, cmid, kept, challenge, now):
        return True
    if not kept.nonce or abs(sent_at - now) > JUST_NOW:
        return False
    expected = after(key, publisher, cmid, kept.nonce, kept.asked_at)
    return hmac.compare_digest(expected, challenge)


def _made(key: bytes, kind: str, publisher: str, cmid: str, of: str) -> str:
    text = "\n".join((kind, publisher, cmid, of)).encode()
    return strict.b64url_encode(hmac.digest(key, text, "sha256")[:16])
