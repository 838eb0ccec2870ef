"""Client to host: the activation request and its answer (docs/spec/08-http.md, section 3).

Each member of the request has a named reader: `fingerprint`, `identity`, `cmid`, `nonce`,
`publisher`, `product` the lease; `key`, `line`, `challenge` and `proof` the proof; `sent_at` the
skew check and the order of requests; `state` and `client` the host's log and counters; `trust` and
`catalogue` the host's schedule of news;
`client.name` its administrator. What has no reader is not sent.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass, field, replace
from muster.lease import strict
from muster.lease.bundle import Bundle, NoticeBundle, bundle_of, read_notice_bundle
from muster.lease.claims import Claims
from muster.lease.jws import SigningKey
from muster.wire import codec, proof


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What a client says of itself; for the log only. `virtual` is None where it is unknown.

    `name` is what the machine calls itself, a name for people of at most 64 code points, or ""
    where it does not say: a stranger's word, shown to administrators and used for nothing.
    """

    version: str
    os: str
    virtual: bool | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class ActivationRequest:
    """One request. `v` is the highest version of any answer that this client reads.

    `key` is the public machine key, 32 bytes, and `cmid` its name; `line` the prefixes of the
    nonces of the requests before, at most 128; `challenge` what the host gave the machine for this
    request, "" for none; `state` the licence state 0 to 6 before the
    request; `sent_at` the client's clock in Unix seconds; `fingerprint` up to 16 commitments;
    `trust` and `catalogue` the versions that the client knows, 0 for none or where it does not say.
    `body` is the message as it came, b"" before it is proved.
    """

    publisher: str
    product: str
    cmid: str
    key: bytes
    nonce: str
    line: tuple[str, ...]
    fingerprint: tuple[str, ...]
    identity: str
    state: int
    sent_at: int
    client: ClientInfo
    challenge: str = ""
    trust: int = 0
    catalogue: int = 0
    v: int = codec.VERSION
    body: bytes = field(default=b"", compare=False, repr=False)

    def prove(self, key: SigningKey) -> ActivationRequest:
        """The request with its proof; `body` is the body of `POST /v1/activate`.

        Args:
            key: the machine key; `self.key` is its public half.
        """
        name = {"name": self.client.name} if self.client.name else {}
        challenge = {"challenge": self.challenge} if self.challenge else {}
        message: strict.JSONObject = {
            "v": self.v,
            "publisher": self.publisher,
            "product": self.product,
            "cmid": self.cmid,
            "key": strict.b64url_encode(self.key),
            "nonce": self.nonce,
            "line": "".join(self.line),
            **challenge,
            "fingerprint": list(self.fingerprint),
            "identity": self.identity,
            "state": self.state,
            "sent_at": self.sent_at,
            **({"trust": self.trust} if self.trust else {}),
            **({"catalogue": self.catalogue} if self.catalogue else {}),
            "client": {
                "version": self.client.version,
                "os": self.client.os,
                "virtual": self.client.virtual,
                **name,
            },
        }
        return replace(self, body=proof.prove(proof.REQUEST, message, key))

    def check_proof(self) -> None:
        """Judge that the CMID is the name of key and mode, and the signature over the whole
        message. Raises: `host/request-proof`."""
        proof.check(
            proof.REQUEST, self.body, strict.SMALL, self.publisher, self.identity, self.cmid
        )


def decode_request(body: bytes) -> ActivationRequest:
    """Read a request; its proof is not judged here.

    A `v` above ours is fine: it says what the client can read, and we answer with ours.
    Raises: `wire/bad-request`, naming the member.
    """
    reader = codec.decode(body)
    client = reader.object("client")
    reader.text("proof", grammar.BASE64URL_64)
    return ActivationRequest(
        v=reader.integer("v", low=1),
        publisher=reader.text("publisher", grammar.PUBLISHER_ID),
        product=reader.text("product", grammar.NAME),
        cmid=reader.text("cmid", grammar.UUID),
        key=strict.b64url_decode(reader.text("key", grammar.BASE64URL_32), 32),
        nonce=reader.text("nonce", grammar.BASE64URL_16),
        line=proof.line_of(reader),
        challenge=reader.optional_text("challenge", grammar.BASE64URL_16) or "",
        fingerprint=reader.texts("fingerprint", grammar.COMMITMENT, limit=16, distinct=False),
        identity=reader.text("identity", grammar.IDENTITY_MODE),
        state=reader.integer("state", high=6),
        sent_at=reader.integer("sent_at"),
        trust=reader.integer("trust") if reader.given("trust") else 0,
        catalogue=reader.integer("catalogue") if reader.given("catalogue") else 0,
        client=ClientInfo(
            version=client.text("version", grammar.CLIENT_TEXT),
            os=client.text("os", grammar.CLIENT_TEXT),
            virtual=client.flag("virtual") if client.given("virtual") else None,
            name=codec.display_name(client, "name"),
        ),
        body=body,
    )


@dataclass(frozen=True, slots=True)
class ActivationAnswer:
    """The answer 200: the licence bundle, the count of this transaction, versions to follow.

    `challenge` is what the machine's next request to this host carries, "" for nothing.
    """

    bundle: Bundle
    count: int
    need: int
    trust: int
    catalogue: int
    challenge: str = ""

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
                **({"challenge": self.challenge} if self.challenge else {}),
            }
        )


def decode_answer(body: bytes, peer: str) -> ActivationAnswer:
    """Read the answer 200 of a host; nothing in it is believed before it is verified.

    Raises: `wire/bad-answer` naming the peer, or `wire/version`.
    """
    try:
        reader = codec.decode(body, strict.BUNDLE)
        codec.check_version(reader)
        return ActivationAnswer(
            bundle=bundle_of(Claims(reader.value, "bundle", "licence/malformed")),
            count=reader.integer("count"),
            need=reader.integer("need"),
            trust=reader.integer("trust"),
            catalogue=reader.integer("catalogue"),
            challenge=reader.optional_text("challenge", grammar.BASE64URL_16) or "",
        )
    except MusterError as fault:
        raise _of_peer(fault, peer) from None


def decode_notice(member: strict.JSONObject, peer: str) -> NoticeBundle:
    """Read the member `notice` of a problem document 409; not verified here."""
    try:
        return read_notice_bundle(codec.encode(member))
    except MusterError as fault:
        raise _of_peer(fault, peer) from None


def _of_peer(fault: MusterError, peer: str) -> MusterError:
    if fault.code == "wire/version":
        return fault
    detail = str(fault.params.get("detail", fault.what))
    return error("wire/bad-answer", peer=peer, detail=detail)
