"""Strict, bounded reading of messages: the one decoder of clients and servers.

A message is one JSON object read by `muster.lease.strict`; each member is taken by a reader that
checks type and grammar before anybody uses the value. Unknown members are ignored (information
may be added), a higher `v` refuses (docs/spec/08-http.md, section 1).
"""

from __future__ import annotations

from typing import Any

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.lease import strict
from muster.lease.claims import Claims

VERSION = 1
"""Version of every message of this program."""
BAD_REQUEST = "wire/bad-request"
"""What every reader of a message raises."""

NAME_POINTS = 64
"""Code points of a name that a machine or a host calls itself by."""


def reader_of(value: Any) -> Claims:
    """The reader of a decoded message; each accessor raises `wire/bad-request`."""
    return Claims(value, "message", BAD_REQUEST)


def check_version(message: Claims) -> int:
    """`v`: an integer from 1 to the version of this program; a higher one refuses.

    Raises: `wire/version`, or `wire/bad-request`.
    """
    version = message.integer("v", low=1)
    if version > VERSION:
        raise error("wire/version", version=version, known=VERSION)
    return version


def display_name(message: Claims, name: str) -> str:
    """A name for people of at most `NAME_POINTS` code points; "" where it is absent or null.

    Source: docs/spec/02-signed-objects.md, section 2.5.
    """
    text = message.optional_text(name, grammar.DISPLAY_NAME)
    if text is None:
        return ""
    if len(text) > NAME_POINTS:
        message.refuse(name, f"not a text of at most {NAME_POINTS} characters")
    return text


def decode(data: bytes, limits: strict.Limits = strict.SMALL) -> Claims:
    """Read one JSON object within the limits.

    Raises: `wire/bad-request` for anything that is not a strict, bounded JSON object.
    """
    try:
        value = strict.read(data, limits)
    except MusterError as fault:
        raise error(BAD_REQUEST, detail=str(fault.params.get("detail", fault.what))) from None
    return reader_of(value)


def name_for_people(text: str) -> str:
    """As much of a text as may be sent as a name: what has no place there is left out.

    Returns:
        At most `NAME_POINTS` code points, without white space around them; "" where nothing
        is left.
    """
    kept = grammar.HIDDEN_CHARACTER.sub("", text[:1024])
    return kept.strip()[:NAME_POINTS].strip()


def encode(value: strict.JSONObject) -> bytes:
    """Write one message: JCS, as everything that Muster writes."""
    return strict.canonical(dict(value))


def as_answer(fault: MusterError, peer: str) -> MusterError:
    """The same reading fault, said of an answer: the peer's mistake, not ours."""
    if fault.code != BAD_REQUEST:
        return fault
    return error("wire/bad-answer", peer=peer, detail=fault.params["detail"])
