"""What proves that a request comes from the machine that it names (chapter 1, section 1.8).

Decides which bytes a proof signs and how a request is judged against its own key. Refuses to know
what a host remembers: that a proved request is also new, and of the right line, is
`muster.host.lines`. Pure.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import machine_cmid
from muster.lease import strict
from muster.lease.claims import Claims
from muster.lease.jws import PublicKey, SigningKey, is_public_key
from muster.wire import codec

REQUEST = b"muster-request-v1\n"
"""What comes before a request in the bytes that its proof signs."""
RELEASE = b"muster-release-v1\n"
"""What comes before a release in the bytes that its proof signs."""


def signed_bytes(word: bytes, message: strict.JSONObject) -> bytes:
    """The bytes that a proof signs: a word, then the JCS text of the message without `proof`."""
    rest = {name: value for name, value in message.items() if name != "proof"}
    return word + strict.canonical(rest)


def prove(word: bytes, message: strict.JSONObject, key: SigningKey) -> bytes:
    """The body of a message with its proof, in canonical form.

    Args:
        word: `REQUEST` or `RELEASE`.
        message: every member but `proof`; `key` in it is the public half of `key`.
    """
    proof = key.sign(signed_bytes(word, message))
    return strict.canonical({**message, "proof": strict.b64url_encode(proof)})


def check(
    word: bytes,
    body: bytes,
    limits: strict.Limits,
    publisher: str,
    mode: str,
    cmid: str,
) -> None:
    """Judge the proof of a message that was read before.

    Args:
        word: `REQUEST` or `RELEASE`.
        body: the message as it came, members that nobody here knows included.
        limits: those it was read with.
        publisher, mode, cmid: what names the machine; the CMID must be the name of the key.
    Raises: `host/request-proof`.
    """
    try:
        message = strict.read(body, limits)
        reader = codec.reader_of(message)
        key = strict.b64url_decode(reader.text("key", grammar.BASE64URL_32), 32)
        check_name(publisher, mode, key, cmid)
        if not is_public_key(key):
            raise error("host/request-proof")
        proof = strict.b64url_decode(reader.text("proof", grammar.BASE64URL_64), 64)
        PublicKey(key).verify(proof, signed_bytes(word, message))
    except (MusterError, ValueError):
        raise error("host/request-proof") from None


def check_name(publisher: str, mode: str, key: bytes, cmid: str) -> None:
    """Judge that a CMID is the name of a key. Raises: `host/request-proof`."""
    if machine_cmid(publisher, mode, key) != cmid:
        raise error("host/request-proof")


def line_of(reader: Claims) -> tuple[str, ...]:
    """The member `line`: the prefixes of at most 128 nonces. Raises: `wire/bad-request`."""
    text = reader.text("line", grammar.NONCE_LINE)
    return tuple(text[at : at + 8] for at in range(0, len(text), 8))
