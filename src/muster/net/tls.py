"""TLS as a client speaks it: whom it trusts, and what exactly went wrong where it does not.

Decides that authorities of the system count and those of the setting `ca_file` besides, that a
certificate must be for the name that was asked for, and which error each failure is. Refuses to go
on without TLS where TLS was asked for. What TLS adds is secrecy on the way; what is believed is
decided by signatures alone (SECURITY.md). Obeys docs/spec/08-http.md, section 8.15.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence

from muster.core.catalogue import error
from muster.core.errors import MusterError

PROBE_SECONDS = 1.0
"""Time for finding out whether a port uses TLS."""

_DATES = {9: "it is not valid yet", 10: "it has ended"}
_NAMES = frozenset({62, 63, 64})
_AUTHORITIES = {
    2: "its issuer is not known",
    18: "it is self-signed",
    19: "the authority at the end of its chain is not known",
    20: "its issuer is not known",
    21: "the server sends no certificate that leads to an authority",
    24: "a certificate of its chain is not one of an authority",
}
"""What OpenSSL counts in X509_V_ERR_…, and what it means."""
_NOT_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "UNKNOWN_PROTOCOL",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
    }
)


def client_context(ca_file: str | None, authorities: Sequence[bytes] = ()) -> ssl.SSLContext:
    """What is trusted: authorities of the system, and those of a PEM file besides.

    The system's are those that OpenSSL finds: `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    Args:
        ca_file: a file in PEM, or None.
        authorities: certificates in DER that are trusted as well, such as those of a site file.
    Raises: `net/ca-file`, `client/site-authority`.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # From Python 3.13 on certificates of authorities that many sites have made themselves are
    # refused for form alone; what is trusted must not hang on the version of Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except ssl.SSLError as fault:
            raise error("net/ca-file", path=ca_file, detail="it holds no PEM") from fault
        except OSError as fault:
            detail = (fault.strerror or "it cannot be read").lower()
            raise error("net/ca-file", path=ca_file, detail=detail) from fault
    try:
        for authority in authorities:
            context.load_verify_locations(cadata=authority)
    except ssl.SSLError as fault:
        raise error("client/site-authority") from fault
    return context


def tls_fault(fault: ssl.SSLError, peer: str, name: str) -> MusterError:
    """The error that a failure of TLS is.

    Args:
        fault: as the library raised it.
        peer: `name:port` of the server.
        name: for which its certificate must be.
    """
    if isinstance(fault, ssl.SSLCertVerificationError):
        number = fault.verify_code
        if number in _DATES:
            return error("net/tls-date", peer=peer, detail=_DATES[number])
        if number in _NAMES:
            return error("net/tls-name", peer=peer, name=name)
        if number in _AUTHORITIES:
            return error("net/tls-authority", peer=peer, detail=_AUTHORITIES[number])
        return error("net/tls", peer=peer, detail=f"its certificate: {fault.verify_message}")
    if isinstance(fault, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return error("net/reset", peer=peer)
    reason = fault.reason or ""
    if reason in _NOT_TLS:
        return error("net/tls-plain", peer=peer)
    return error("net/tls", peer=peer, detail=reason.lower().replace("_", " ") or "no reason given")


def speaks_tls(address: tuple[str, int], seconds: float) -> bool:
    """Whether a port that gave no good answer in plain HTTP greets in TLS. Believes nothing."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        contextlib.suppress(OSError, ValueError),
        socket.create_connection(address, timeout=seconds) as plain,
        context.wrap_socket(plain, server_hostname=address[0]),
    ):
        return True
    return False
