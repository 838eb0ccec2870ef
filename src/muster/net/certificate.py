"""The certificate of a server that uses TLS, renewed while it runs.

Decides which certificate is shown: the one of the files, looked at again every few seconds; one
that cannot be used never takes the place of one that can, and is told in the log, by `/readyz` and
by `/metrics`. Refuses TLS below 1.2, and a key that needs a passphrase: nobody is there to type it.
Obeys docs/spec/08-http.md, section 8.15.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import ssl
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass

LOOK_SECONDS = 10
"""How often the files are looked at, at most."""
_LIMIT = 1024 * 1024
_log = logging.getLogger("muster.net.tls")

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate that was loaded; times are Unix seconds."""

    context: ssl.SSLContext
    begins_at: int
    ends_at: int
    names: tuple[str, ...]


class Certificate:
    """Certificate and key of a server, as PEM files. Safe for several threads.

    Args:
        certificate: file with the certificate, and those between it and its authority.
        key: file with its private key, not encrypted.
        now: the wall clock, Unix seconds: what has ended or not begun is not taken over.
        monotonic: seconds that never jump.
    Raises: `net/certificate`.
    """

    def __init__(
        self,
        certificate: str,
        key: str,
        now: Callable[[], float],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.certificate = certificate
        self.key = key
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked_at = monotonic()
        self._stamp = self._stamped()
        self._shown = _load(certificate, key)
        self._fault: MusterError | None = None
        self.failures: Counter[str] = Counter()
        """Connections that came to nothing: `plain` or `handshake`."""
        if _others_may_read(key):
            _log.warning("the private key %s can be read by everybody on this machine", key)
        fault = self._out_of_date(self._shown)
        if fault is not None:
            _log.warning("%s Clients will refuse it.", fault.what)

    @property
    def context(self) -> ssl.SSLContext:
        """What the next connection is greeted with."""
        return self.refreshed().context

    @property
    def fault(self) -> MusterError | None:
        """Why the files cannot be used now, or why clients refuse what is shown; else None."""
        shown = self.refreshed()
        return self._fault or self._out_of_date(shown)

    @property
    def good(self) -> bool:
        """Whether what is shown is in date."""
        return self._out_of_date(self.refreshed()) is None

    def refreshed(self) -> Shown:
        """What is shown, after a look at the files where the last one is a while ago."""
        with self._lock:
            now = self._monotonic()
            if now - self._looked_at >= LOOK_SECONDS:
                self._looked_at = now
                stamp = self._stamped()
                # What could not be used is tried again: it may only have been too early.
                if stamp != self._stamp or self._fault is not None:
                    self._renew(stamp)
            return self._shown

    def look_now(self) -> Shown:
        """As `refreshed`, however short ago the last look was."""
        with self._lock:
            self._looked_at = -math.inf
        return self.refreshed()

    def _renew(self, stamp: Stamp) -> None:
        before, self._stamp = self._stamp, stamp
        try:
            renewed = _load(self.certificate, self.key)
            fault = self._out_of_date(renewed)
            if fault is not None:
                raise fault
        except MusterError as fault:
            known = self._fault
            if known is None or known.what != fault.what or stamp != before:
                _log.error("%s The previous one is still used. Fix: %s", fault.what, fault.fix)
            self._fault = fault
            return
        self._shown, self._fault = renewed, None
        _log.info("the renewed certificate %s is used from now on", self.certificate)

    def _out_of_date(self, shown: Shown) -> MusterError | None:
        now = self._now()
        if shown.begins_at <= now < shown.ends_at:
            return None
        detail = "it is not valid yet" if now < shown.begins_at else "it has ended"
        return error("net/certificate", path=self.certificate, detail=detail)

    def _stamped(self) -> Stamp:
        return tuple(_stamp(path) for path in (self.certificate, self.key))


def certificate_of(certificate: str, key: str, now: Callable[[], float]) -> Certificate | None:
    """The certificate that the settings name; None where they name none. `now` as above.

    Raises: `net/certificate`, also where only one of the two is set.
    """
    if not certificate and not key:
        return None
    if not certificate or not key:
        missing = "tls_key" if certificate else "tls_certificate"
        raise error("net/certificate", path=certificate or key, detail=f"{missing} is not set")
    return Certificate(certificate, key, now)


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        info = Path(path).stat()
    except OSError:
        return (0, 0, 0)
    return (info.st_mtime_ns, info.st_size, info.st_ino)


def _others_may_read(path: str) -> bool:
    try:
        return os.name == "posix" and bool(Path(path).stat().st_mode & 0o004)
    except OSError:
        return False


def _load(certificate: str, key: str) -> Shown:
    from cryptography import x509

    def bad(path: str, detail: str) -> MusterError:
        return error("net/certificate", path=path, detail=detail)

    try:
        pem = _read(certificate)
    except OSError as fault:
        raise bad(certificate, _why(fault)) from fault
    try:
        _read(key)
    except OSError as fault:
        raise bad(key, _why(fault)) from fault
    try:
        leaf = x509.load_pem_x509_certificate(pem)
        names = _names(leaf)
    except ValueError as fault:
        raise bad(certificate, "it holds no certificate as PEM") from fault
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    asked = False

    def passphrase() -> str:
        nonlocal asked
        asked = True
        return ""

    try:
        context.load_cert_chain(certificate, key, passphrase)
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "reason", "") or ""
        if asked:
            raise bad(key, "it is encrypted") from fault
        if reason == "KEY_VALUES_MISMATCH":
            raise bad(key, "it is not the key of the certificate") from fault
        raise bad(key, "the two are not certificate and key as PEM") from fault
    return Shown(
        context,
        int(leaf.not_valid_before_utc.timestamp()),
        int(leaf.not_valid_after_utc.timestamp()),
        names,
    )


def _read(path: str) -> bytes:
    """The bytes of a file, at most 1 MiB. Raises: OSError."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    with Path(path).open("rb") as file:
        return file.read(_LIMIT)


def _why(fault: OSError) -> str:
    return (fault.strerror or "it cannot be read").lower()


def _names(leaf: object) -> tuple[str, ...]:
    from cryptography import x509

    assert isinstance(leaf, x509.Certificate)
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return (*names.get_values_for_type(x509.DNSName), *addresses)
