"""Bundles: a signed object with the grant that it is based on, as sent and stored.

Decides the shape of bundles. Refuses to know whether anything in them is true: that is
`muster.lease.verify`. Obeys docs/spec/02-signed-objects.md, section 2.10.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.values import dataclass
from muster.lease import claims, strict
from muster.lease.claims import Claims
from muster.lease.jws import PublicKey

_CODE = "licence/malformed"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A licence bundle: lease and grant as compact JWS, and the host's public signing key."""

    lease: str
    grant: str
    signer: PublicKey

    def encode(self) -> bytes:
        """Canonical JSON."""
        return strict.canonical(
            {"v": 1, "lease": self.lease, "grant": self.grant, "signer": self.signer.jwk}
        )


@dataclass(frozen=True, slots=True)
class ActivationBundle:
    """The grant of one machine (MAK, evaluation, retail) as it is stored."""

    grant: str

    def encode(self) -> bytes:
        """Canonical JSON."""
        return strict.canonical({"v": 1, "grant": self.grant})


@dataclass(frozen=True, slots=True)
class NoticeBundle:
    """A notice and its grant as compact JWS, and the host's public signing key."""

    notice: str
    grant: str
    signer: PublicKey

    def encode(self) -> bytes:
        """Canonical JSON."""
        return strict.canonical(
            {"v": 1, "notice": self.notice, "grant": self.grant, "signer": self.signer.jwk}
        )


def read_bundle(data: bytes) -> Bundle:
    """Read a licence bundle, or a host's answer, which holds its members; the rest is ignored.

    Raises:
        MusterError `licence/malformed`, `licence/version`.
    """
    return bundle_of(_open(data))


def bundle_of(bundle: Claims) -> Bundle:
    """The licence bundle in an object that was read strictly. Raises: its own error."""
    return Bundle(
        lease=bundle.text("lease", grammar.COMPACT_JWS),
        grant=bundle.text("grant", grammar.COMPACT_JWS),
        signer=_signer(bundle),
    )


def read_activation_bundle(data: bytes) -> ActivationBundle:
    """Read an activation bundle. Raises as `read_bundle`."""
    return ActivationBundle(grant=_open(data).text("grant", grammar.COMPACT_JWS))


def read_notice_bundle(data: bytes) -> NoticeBundle:
    """Read a notice bundle. Raises as `read_bundle`."""
    bundle = _open(data)
    return NoticeBundle(
        notice=bundle.text("notice", grammar.COMPACT_JWS),
        grant=bundle.text("grant", grammar.COMPACT_JWS),
        signer=_signer(bundle),
    )


def _open(data: bytes) -> Claims:
    bundle = Claims(strict.read(data, strict.BUNDLE, "bundle"), "bundle", _CODE)
    claims.version(bundle, "bundle")
    return bundle


def _signer(bundle: Claims) -> PublicKey:
    return PublicKey.from_jwk(bundle.object("signer").value, "bundle.signer", _CODE)
