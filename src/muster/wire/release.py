"""Client to host: release of a seat with proof of its nonce (docs/spec/08-http.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from muster.lease import strict
from muster.lease.bundle import Bundle, read_bundle
from muster.wire import codec


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """The licence bundle and the 32 byte `secret` behind its nonce [the lease alone travels in
    the clear, so it must not be enough]."""

    bundle: Bundle
    secret: bytes

    def encode(self) -> bytes:
        """The body of `POST /v1/release`."""
        return codec.encode(
            {
                "v": codec.VERSION,
                "lease": self.bundle.lease,
                "grant": self.bundle.grant,
                "signer": self.bundle.signer.jwk,
                "secret": strict.b64url_encode(self.secret),
            }
        )


def decode_release(body: bytes) -> ReleaseRequest:
    """Read a release request. Raises: `wire/bad-request`, `wire/version`, `licence/malformed`."""
    reader = codec.decode(body, strict.BUNDLE)
    reader.version()
    secret = strict.b64url_decode(reader.text("secret", codec.SECRET), 43)
    return ReleaseRequest(bundle=read_bundle(body), secret=secret)
