"""Client to host: the activation request and its answer (docs/spec/08-http.md, section 3).

Each member of the request has a named reader: `fingerprint`, `identity`, `cmid`, `nonce`,
`publisher`, `product` the lease; `sent_at` the skew check; `state` and `client` the host's log
and counters. What has no reader is not sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from muster.core.errors import MusterError
from muster.lease import strict
from muster.lease.bundle import Bundle, NoticeBundle, read_bundle, read_notice_bundle
from muster.wire import codec

_IDENTITY = re.compile(r"machine|device|node|explicit")


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What a client says of itself; for the log only. `virtual` is None where it is unknown."""

    version: str
    os: str
    virtual: bool | None


@dataclass(frozen=True, slots=True)
class ActivationRequest:
    """One request. `v` is the highest version of any answer that this client reads.

    `state` is the licence state 0 to 6 before the request; `sent_at` the client's clock in Unix
    seconds, used for the skew check only; `fingerprint` up to 16 commitments of 16 hex digits.
    """

    publisher: str
    product: str
    cmid: str
    nonce: str
    fingerprint: tuple[str, ...]
    identity: str
    state: int
    sent_at: int
    client: ClientInfo
    v: int = codec.VERSION

    def encode(self) -> bytes:
        """The body of `POST /v1/activate`."""
        return codec.encode(
            {
                "v": self.v,
                "publisher": self.publisher,
                "product": self.product,
                "cmid": self.cmid,
                "nonce": self.nonce,
                "fingerprint": list(self.fingerprint),
                "identity": self.identity,
                "state": self.state,
                "sent_at": self.sent_at,
                "client": {
                    "version": self.client.version,
                    "os": self.client.os,
                    "virtual": self.client.virtual,
                },
            }
        )


def decode_request(body: bytes) -> ActivationRequest:
    """Read a request.

    A `v` above ours is fine: it says what the client can read, and we answer with ours.
    Raises: `wire/bad-request`, naming the member.
    """
    reader = codec.decode(body)
    client = reader.object("client")
    return ActivationRequest(
        v=reader.integer("v", low=1),
        publisher=reader.text("publisher", codec.PUBLISHER_ID),
        product=reader.text("product", codec.NAME),
        cmid=reader.text("cmid", codec.UUID),
        nonce=reader.text("nonce", codec.TOKEN),
        fingerprint=reader.texts("fingerprint", codec.COMMITMENT, limit=16),
        identity=reader.text("identity", _IDENTITY),
        state=reader.integer("state", high=6),
        sent_at=reader.integer("sent_at"),
        client=ClientInfo(
            version=client.text("version", codec.FREE),
            os=client.text("os", codec.FREE),
            virtual=client.flag("virtual") if client.has("virtual") else None,
        ),
    )


@dataclass(frozen=True, slots=True)
class ActivationAnswer:
    """The answer 200: the licence bundle, the count of this transaction, versions to follow."""

    bundle: Bundle
    count: int
    need: int
    trust: int
    catalogue: int

    def encode(self) -> bytes:
        """The body of the answer; its first four members are the licence bundle."""
        return codec.encode(
            {
                "v": codec.VERSION,
                "lease": self.bundle.lease,
                "grant": self.bundle.grant,
                "signer": self.bundle.signer.jwk,
                "count": self.count,
                "need": self.need,
                "trust": self.trust,
                "catalogue": self.catalogue,
            }
        )


def decode_answer(body: bytes, peer: str) -> ActivationAnswer:
    """Read the answer 200 of a host; nothing in it is believed before it is verified.

    Raises: `wire/bad-answer` naming the peer, or `wire/version`.
    """
    try:
        reader = codec.decode(body, strict.BUNDLE)
        reader.version()
        return ActivationAnswer(
            bundle=read_bundle(body),
            count=reader.integer("count"),
            need=reader.integer("need"),
            trust=reader.integer("trust"),
            catalogue=reader.integer("catalogue"),
        )
    except MusterError as fault:
        raise _of_peer(fault, peer) from None


def decode_notice(member: dict[str, Any], peer: str) -> NoticeBundle:
    """Read the member `notice` of a problem document 409; not verified here."""
    try:
        return read_notice_bundle(codec.encode(member))
    except MusterError as fault:
        raise _of_peer(fault, peer) from None


def _of_peer(fault: MusterError, peer: str) -> MusterError:
    from muster.core.errors import error

    if fault.code == "wire/version":
        return fault
    detail = str(fault.params.get("detail", fault.what))
    return error("wire/bad-answer", peer=peer, detail=detail)
