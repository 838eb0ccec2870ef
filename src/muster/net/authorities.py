"""Certificates of authorities, out of a PEM file, to be passed on to machines.

Decides whether a TLS client could trust them. Refuses to know for which hosts.
"""

from __future__ import annotations

import os
import re
import ssl

from muster.core.catalogue import error

MAX_AUTHORITIES = 16
MAX_BYTES = 4_096
"""Of one certificate in DER (docs/spec/15-site-files.md, section 15.3)."""
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----")


def read_authorities(data: bytes, path: str | os.PathLike[str]) -> tuple[bytes, ...]:
    """The certificates of a PEM file in DER, each once; what is between them is passed over.

    Raises: `host/site-authority`.
    """
    blocks = _PEM.findall(data.decode("utf-8", "replace"))
    try:
        found = tuple(dict.fromkeys(map(ssl.PEM_cert_to_DER_cert, blocks)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for certificate in found:
            context.load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError):
        raise _refused(path, "one of them is no X.509 certificate") from None
    if not found:
        raise _refused(path, "it holds no certificate in PEM")
    if len(found) > MAX_AUTHORITIES:
        raise _refused(path, f"it holds {len(found)} certificates")
    if max(map(len, found)) > MAX_BYTES:
        raise _refused(path, f"one of them is longer than {MAX_BYTES:,} bytes")
    return found


def _refused(path: str | os.PathLike[str], detail: str) -> Exception:
    return error("host/site-authority", path=os.fspath(path), detail=detail)
