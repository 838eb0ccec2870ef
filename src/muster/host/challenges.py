"""Values that only this host can make for a machine, and that its messages must carry.

Decides which challenge a machine is given and which one is valid. Nothing is stored for a
challenge: it is an HMAC over what it is good for. Refuses to know messages, tables and clocks.
Pure. Obeys docs/spec/06-counting.md, section 6.4.1.

There are three kinds. The one that comes with a lease names the request that was answered and the
latest `sent_at`, so it is spent when the host keeps the machine's next request or release; it is
valid for a request that was made just now, since one that was refused spends nothing. The one that
comes with a refused request names the minute. The one that comes with a refused release names the
minute and all that is kept, so nothing newer may come between.
"""

from __future__ import annotations

import hashlib
import hmac

from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.jws import SigningKey

MINUTE = 60
"""Seconds; a challenge of a refusal holds in the minute in which it was given and in the next."""
JUST_NOW = 60
"""Seconds between `sent_at` and the host's clock within which a request was made just now: with a
machine's clock ahead by so much, it is two minutes old at most."""
_WORD = b"muster-challenge-v1\n"


def key_of(signer: SigningKey) -> bytes:
    """The HMAC key, 32 bytes: follows from the host key, so that every process which has that
    one, and each after a restart, knows the challenges of the others."""
    return hashlib.sha256(signer.sign(_WORD)).digest()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a host keeps of a machine, as far as challenges name it: `nonce` of its last request,
    "" where none is; `asked_at` the latest `sent_at`, 0 where none is; `explicit` its mode."""

    nonce: str = ""
    asked_at: int = 0
    explicit: bool = False

    @property
    def cut(self) -> int:
        """What no request may be older than that has no order of its own: the last release or
        removal in mode `explicit`, else the removal of a machine that did not ask since; 0 where
        the line decides."""
        return self.asked_at if self.explicit or not self.nonce else 0


def after(key: bytes, publisher: str, cmid: str, kept: Kept) -> str:
    """The challenge that comes with a lease, for the machine's next request.

    Args:
        key: as `key_of` made it.
        kept: of the machine, once the request is answered.
    Returns: 22 characters of base64url, 16 bytes; "" in mode `explicit`, whose requests have no
    order and would be valid again.
    """
    if kept.explicit:
        return ""
    return _made(key, "after", publisher, cmid, f"{kept.nonce} {kept.asked_at}")


def fresh(key: bytes, publisher: str, cmid: str, kept: Kept, now: int) -> str:
    """The challenge for a request that carried none that is valid; `now` is the host's clock in
    Unix seconds."""
    return _made(key, "fresh", publisher, cmid, f"{now // MINUTE} {kept.cut}")


def of_release(key: bytes, publisher: str, cmid: str, kept: Kept, now: int) -> str:
    """The challenge for a release that carried none that is valid."""
    return _made(key, "release", publisher, cmid, f"{now // MINUTE} {kept.nonce} {kept.asked_at}")


def holds(
    key: bytes, publisher: str, cmid: str, kept: Kept, challenge: str, sent_at: int, now: int
) -> bool:
    """Whether this host made the challenge for this machine's request and it is not spent.

    Args:
        challenge: as the request carries it, "" for none.
        sent_at: the request's, by the machine's clock in Unix seconds.
        now: the host's clock in Unix seconds.
    """
    good = [fresh(key, publisher, cmid, kept, at) for at in (now, now - MINUTE)]
    if kept.nonce and not kept.explicit and abs(sent_at - now) <= JUST_NOW:
        good.append(after(key, publisher, cmid, kept))
    return any(hmac.compare_digest(expected, challenge) for expected in good)


def holds_for_release(
    key: bytes, publisher: str, cmid: str, kept: Kept, challenge: str, now: int
) -> bool:
    """Whether this host made the challenge for this machine's release and it is not spent."""
    good = [of_release(key, publisher, cmid, kept, at) for at in (now, now - MINUTE)]
    return any(hmac.compare_digest(expected, challenge) for expected in good)


def _made(key: bytes, kind: str, publisher: str, cmid: str, of: str) -> str:
    text = "\n".join((kind, publisher, cmid, of)).encode()
    return strict.b64url_encode(hmac.digest(key, text, "sha256")[:16])
