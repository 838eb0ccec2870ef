"""What a publisher's service knows of its own trust and catalogue, read once a version.

Decides nothing; keeps parsed objects beside the texts that the tables hold. Safe for any thread.
"""

from __future__ import annotations

import threading

from muster.core.catalogue import error
from muster.db.engine import Reader
from muster.lease.catalogue import Catalogue, read_catalogue
from muster.lease.trust import Trust, parse_trust
from muster.publisher import rules, tables
from muster.publisher.model import SignedText


class DocumentCache:
    """Parsed versions of trust and the newest catalogue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trusts: dict[int, Trust] = {}
        self._catalogue: Catalogue | None = None

    def known(self, reader: Reader) -> tuple[Trust, Catalogue]:
        """The newest trust and the newest catalogue of one state of the tables."""
        newest = self._trust(tables.documents.newest_trust(reader))
        with self._lock:
            cached = self._catalogue
        text = tables.documents.newest_catalogue(reader)
        if cached is not None and cached.version == text.version:
            return newest, cached
        catalogue = read_catalogue(text.text, newest)
        with self._lock:
            self._catalogue = catalogue
        return newest, catalogue

    def held(self, reader: Reader, residue: int) -> Trust:
        """The newest trust version of a residue modulo 256: what an asker holds.

        Raises: `publisher/trust-unknown`.
        """
        version = rules.version_of_residue(tables.documents.trust_versions(reader), residue)
        signed = tables.documents.trust_from(reader, version) if version is not None else None
        if signed is None:
            newest = tables.documents.newest_trust(reader).version
            raise error("publisher/trust-unknown", residue=residue, trust=newest)
        return self._trust(signed)

    def _trust(self, signed: SignedText) -> Trust:
        with self._lock:
            cached = self._trusts.get(signed.version)
        if cached is None:
            cached = parse_trust(signed.text)
            with self._lock:
                self._trusts[signed.version] = cached
        return cached
