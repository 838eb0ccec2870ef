"""A certificate authority of a site, for tests: it signs what servers show over TLS.

```
authority = Authority("Corp CA")
authority.write(folder / "ca.pem")
authority.issue("kms1.corp.test").write(folder / "cert.pem", folder / "key.pem")
```
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from muster.core.values import dataclass

_PEM = serialization.Encoding.PEM
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    key: bytes
    serial: int

    def write(self, certificate: Path, key: Path) -> None:
        """Put both into files; the key is for its owner alone."""
        key.write_bytes(self.key)
        key.chmod(0o600)
        certificate.write_bytes(self.certificate)


class Authority:
    """An authority with a key of its own."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 400 * _DAY)
            .not_valid_after(now + 400 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def write(self, path: Path) -> None:
        """Put its certificate into a file: what those who trust it need."""
        path.write_bytes(self._certificate.public_bytes(_PEM))

    def issue(
        self, *names: str, begins: int = -1, ends: int = 90, passphrase: bytes | None = None
    ) -> Issued:
        """A certificate for names and IP addresses.

        Args:
            begins, ends: days from now.
            passphrase: encrypts the private key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * _DAY)
            .not_valid_after(now + ends * _DAY)
            .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), True)
            .sign(self._key, hashes.SHA256())
        )
        hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            hidden = serialization.BestAvailableEncryption(passphrase)
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, hidden)
        return Issued(certificate.public_bytes(_PEM), private, certificate.serial_number)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
