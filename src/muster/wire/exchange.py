"""Files that people carry: request, reply and publisher file (docs/spec/08-http.md, section 6).

Documented JSON, one object and a newline. Request and reply hold the same content as the online
request and answer. A publisher file holds what a host or an offline site needs to know of a
publisher: the trust object to pin, the line above it, the newest catalogue.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.claims import Claims
from muster.wire import codec
from muster.wire.publisher import (
    ConfirmAnswer,
    ConfirmRequest,
    read_confirm_answer,
    read_confirm_request,
)

REQUEST = "muster-request"
REPLY = "muster-reply"
CONFIRMATION = "muster-confirmation"
PUBLISHER = "muster-publisher"
FILE_LIMITS = strict.Limits(bytes=16 * 1024 * 1024, levels=4, members=64, items=4096)
"""Bounds of any of these files."""


@dataclass(frozen=True, slots=True)
class RequestFile:
    """Who asks (`publisher` id) and the installation ID."""

    publisher: str
    request: ConfirmRequest

    def encode(self) -> bytes:
        """The bytes of the file, one line of JSON."""
        return (
            codec.encode(
                {
                    "v": codec.VERSION,
                    "file": REQUEST,
                    "publisher": self.publisher,
                    **self.request.members,
                }
            )
            + b"\n"
        )


@dataclass(frozen=True, slots=True)
class ReplyFile:
    """The publisher's answer to one request file."""

    publisher: str
    answer: ConfirmAnswer

    def encode(self) -> bytes:
        """The bytes of the file, one line of JSON."""
        body = self.answer.encode()
        head = codec.encode({"file": REPLY, "publisher": self.publisher})
        return head[:-1] + b"," + body[1:] + b"\n"


@dataclass(frozen=True, slots=True)
class ConfirmationFile:
    """The short form of a reply, which a QR code or a text message holds: the digits alone.

    Who holds the publisher's trust already rebuilds the same grant from them
    (docs/spec/04-grant-function.md, section 4.4).
    """

    publisher: str
    confirmation_id: str

    def encode(self) -> bytes:
        """The bytes of the file, one line of JSON."""
        return (
            codec.encode(
                {
                    "v": codec.VERSION,
                    "file": CONFIRMATION,
                    "publisher": self.publisher,
                    "confirmation_id": self.confirmation_id,
                }
            )
            + b"\n"
        )


@dataclass(frozen=True, slots=True)
class PublisherFile:
    """What is known of a publisher, for `host init` and for updates by file.

    `anchor` is the trust object that is pinned where none is pinned yet; `trust` the versions
    above it, lowest first; `catalogue` the newest one; `url` where its service listens, or None.
    """

    publisher: str
    anchor: str
    trust: tuple[str, ...]
    catalogue: str
    url: str | None

    def encode(self) -> bytes:
        """The bytes of the file, one line of JSON."""
        return (
            codec.encode(
                {
                    "v": codec.VERSION,
                    "file": PUBLISHER,
                    "publisher": self.publisher,
                    "anchor": self.anchor,
                    "trust": list(self.trust),
                    "catalogue": self.catalogue,
                    "url": self.url,
                }
            )
            + b"\n"
        )


def _open(data: bytes, wanted: str) -> Claims:
    try:
        reader = codec.decode(data, FILE_LIMITS)
        kind = reader.text("file", grammar.FILE_KIND)
    except MusterError as fault:
        detail = str(fault.params.get("detail", fault.what))
        raise error("wire/not-exchange", wanted=wanted, detail=detail) from None
    if kind != wanted:
        raise error("wire/not-exchange", wanted=wanted, detail=f"it is a {kind} file")
    return reader


def read_request_file(data: bytes) -> RequestFile:
    """Read a request file. Raises: `wire/not-exchange`, `wire/version`."""
    reader = _open(data, REQUEST)
    try:
        codec.check_version(reader)
        return RequestFile(
            publisher=reader.text("publisher", grammar.PUBLISHER_ID),
            request=read_confirm_request(reader),
        )
    except MusterError as fault:
        raise _as_file(fault, REQUEST) from None


def read_reply_file(data: bytes) -> ReplyFile:
    """Read a reply file; nothing in it is believed before it is verified."""
    reader = _open(data, REPLY)
    try:
        return ReplyFile(
            publisher=reader.text("publisher", grammar.PUBLISHER_ID),
            answer=read_confirm_answer(reader),
        )
    except MusterError as fault:
        raise _as_file(fault, REPLY) from None


def read_confirmation_file(data: bytes) -> ConfirmationFile:
    """Read the short form of a reply. Raises: `wire/not-exchange`, `wire/version`."""
    reader = _open(data, CONFIRMATION)
    try:
        codec.check_version(reader)
        return ConfirmationFile(
            publisher=reader.text("publisher", grammar.PUBLISHER_ID),
            confirmation_id=reader.text("confirmation_id", grammar.DIGIT_GROUPS),
        )
    except MusterError as fault:
        raise _as_file(fault, CONFIRMATION) from None


def read_reply(data: bytes) -> ReplyFile | ConfirmationFile:
    """Read either form of a reply. Raises: `wire/not-exchange`, `wire/version`."""
    try:
        return read_confirmation_file(data)
    except MusterError as fault:
        if fault.code != "wire/not-exchange":
            raise
    return read_reply_file(data)


def read_publisher_file(data: bytes) -> PublisherFile:
    """Read a publisher file; whoever pins its anchor says so, the rest is verified from there."""
    reader = _open(data, PUBLISHER)
    try:
        codec.check_version(reader)
        return PublisherFile(
            publisher=reader.text("publisher", grammar.PUBLISHER_ID),
            anchor=reader.text("anchor", grammar.COMPACT_JWS),
            trust=reader.texts("trust", grammar.COMPACT_JWS, limit=4096, distinct=False),
            catalogue=reader.text("catalogue", grammar.COMPACT_JWS),
            url=reader.optional_text("url", grammar.SERVICE_URL),
        )
    except MusterError as fault:
        raise _as_file(fault, PUBLISHER) from None


def _as_file(fault: MusterError, wanted: str) -> MusterError:
    if fault.code != "wire/bad-request":
        return fault
    return error("wire/not-exchange", wanted=wanted, detail=fault.params["detail"])
