"""Client to host: release of a seat, proved by the machine (docs/spec/08-http.md, section 4)."""

from __future__ import annotations

from muster.core import grammar
from muster.core.errors import MusterError
from muster.core.values import dataclass, field, replace
from muster.lease import strict
from muster.lease.bundle import Bundle, read_bundle
from muster.lease.jws import SigningKey
from muster.wire import codec, proof


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """The licence bundle and what proves the machine [the lease alone travels in the clear, so it
    must not be enough].

    `key` is the public machine key, 32 bytes; `line` the prefixes of the nonces of the machine's
    requests, at most 128; `sent_at` the client's clock in Unix seconds; `challenge` what the host
    gave the machine for this release, "" for none. `body` is the message as it came, b"" before it
    is proved.
    """

    bundle: Bundle
    key: bytes
    line: tuple[str, ...]
    sent_at: int
    challenge: str = ""
    body: bytes = field(default=b"", compare=False, repr=False)

    def prove(self, key: SigningKey) -> ReleaseRequest:
        """The release with its proof; `body` is the body of `POST /v1/release`.

        Args:
            key: the machine key; `self.key` is its public half.
        """
        challenge = {"challenge": self.challenge} if self.challenge else {}
        message: strict.JSONObject = {
            "v": codec.VERSION,
            "lease": self.bundle.lease,
            "grant": self.bundle.grant,
            "signer": self.bundle.signer.jwk,
            "key": strict.b64url_encode(self.key),
            "line": "".join(self.line),
            **challenge,
            "sent_at": self.sent_at,
        }
        return replace(self, body=proof.prove(proof.RELEASE, message, key))

    def check_proof(self, publisher: str, mode: str, cmid: str) -> None:
        """Judge that the holder of the key behind a lease's CMID sent this.

        Args:
            publisher, mode, cmid: as the lease says.
        Raises: `host/request-proof`.
        """
        proof.check(proof.RELEASE, self.body, strict.BUNDLE, publisher, mode, cmid)


def decode_released(body: bytes, peer: str) -> bool:
    """Read the answer 200 of a host: whether a seat was freed.

    Raises: `wire/bad-answer` naming the peer, or `wire/version`.
    """
    try:
        reader = codec.decode(body)
        codec.check_version(reader)
        return reader.flag("released")
    except MusterError as fault:
        raise codec.as_answer(fault, peer) from None


def decode_release(body: bytes) -> ReleaseRequest:
    """Read a release; its proof is not judged here.

    Raises: `wire/bad-request`, `wire/version`, `licence/malformed`.
    """
    reader = codec.decode(body, strict.BUNDLE)
    codec.check_version(reader)
    reader.text("proof", grammar.BASE64URL_64)
    return ReleaseRequest(
        bundle=read_bundle(body),
        key=strict.b64url_decode(reader.text("key", grammar.BASE64URL_32), 32),
        line=proof.line_of(reader),
        sent_at=reader.integer("sent_at"),
        challenge=reader.optional_text("challenge", grammar.BASE64URL_16) or "",
        body=body,
    )
