"""What hosts and machines ask of a publisher over HTTP: activation, the newest catalogue, the line
of trust.

Decides which documents are given, and whether the service is ready. Refuses to know HTTP, and how
an activation is carried out (`muster.publisher.activations`). Obeys docs/spec/08-http.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from muster.core.catalogue import error
from muster.core.clock import BootClock
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.db.engine import START_CHECK_SECONDS, Database
from muster.lease.catalogue import Catalogue
from muster.lease.strict import JSONObject
from muster.lease.trust import GRANT_ROLE, Trust, TrustKey
from muster.publisher import rules, tables
from muster.publisher.activations import Activations
from muster.publisher.model import KeyFileRecord, SignedText
from muster.publisher.store import open_store
from muster.publisher.vault import Vault

_log = logging.getLogger("muster.publisher")


@dataclass(frozen=True, slots=True)
class KnownState:
    """What health and metrics tell: the newest documents, how much there is of what, what keeps
    the service from activating a host, and what will at its next start: `key_faults`, of key files
    whose keys are in memory."""

    trust: Trust
    catalogue: Catalogue
    counts: Mapping[str, int]
    fault: MusterError | None
    key_faults: tuple[MusterError, ...] = ()


class PublisherService(Activations):
    """The service of one publisher: `Activations`, and the documents that go with them. May be
    used from any thread, and by several processes."""

    def monotonic(self) -> float:
        """Seconds of the publisher's clock that never goes back."""
        return self._clock.monotonic()

    def close(self) -> None:
        """Close the tables."""
        self._store.close()

    # Documents.

    def newest_catalogue(self) -> SignedText:
        """The newest catalogue."""
        self._clock.unchecked()
        with self._store.view() as reader:
            return tables.documents.newest_catalogue(reader)

    def trust_from(self, version: int) -> SignedText | None:
        """The lowest trust version at or above the given one; None where there is none."""
        with self._store.view() as reader:
            return tables.documents.trust_from(reader, version)

    def versions(self) -> tuple[int, int]:
        """The newest versions of trust and catalogue."""
        with self._store.view() as reader:
            trust = tables.documents.newest_trust(reader)
            return trust.version, tables.documents.newest_catalogue(reader).version

    def jwks(self) -> JSONObject:
        """The working keys that may sign today, as a JWK set: a convenience, never the trust."""
        day = rules.today(self._now())
        with self._store.view() as reader:
            newest, _ = self._documents.known(reader)
        return {
            "keys": [
                {**key.key.jwk, "kid": key.key.kid, "use": "sig", "alg": "EdDSA"}
                for key in newest.keys
                if rules.may_sign(key, day)
            ]
        }

    def _now(self) -> int:
        """The clock as it is: what is only told is no reason to doubt it."""
        return self._clock.unchecked().now

    def known(self) -> KnownState:
        """What health and metrics tell of the publisher, in one state of the tables.

        Raises: the errors of the database.
        """
        with self._store.view() as reader:
            newest, catalogue = self._documents.known(reader)
            alerting = sum(1 for key in tables.keys.watched_keys(reader) if rules.reached(key))
            counts = {**tables.keys.counts(reader), "pools_alerting": alerting}
        fault = None
        try:
            self.check_ready()
            self.open_grant_keys()
        except MusterError as caught:
            if caught.code.startswith("db/"):
                raise
            fault = caught
        key_faults = () if fault is not None else self._key_faults()
        return KnownState(newest, catalogue, counts, fault, key_faults)

    def _key_faults(self) -> tuple[MusterError, ...]:
        faults = []
        for _, record in self._grant_keys()[1]:
            try:
                self._vault.check_file(record)
            except MusterError as fault:
                faults.append(fault)
        return tuple(faults)

    @property
    def database(self) -> Database:
        """The database of the tables."""
        return self._store.database

    def now(self) -> int:
        """Unix seconds as the publisher's clock shows them; waits for nothing."""
        return self._clock.shown()

    def open_grant_keys(self) -> int:
        """Open every grant key that may sign today; how many.

        Raises: `publisher/no-key` when there is none, and the errors of opening a key file.
        """
        trust, able = self._grant_keys()
        if not able:
            raise error("publisher/no-key", role=GRANT_ROLE, trust=trust)
        for entry, record in able:
            self._vault.signing_key(record, entry.key)
        return len(able)

    def _grant_keys(self) -> tuple[int, list[tuple[TrustKey, KeyFileRecord | None]]]:
        """The version of trust, and its grant keys that may sign today with where they are."""
        day = rules.today(self._now())
        with self._store.view() as reader:
            newest, _ = self._documents.known(reader)
            return newest.version, [
                (key, tables.documents.key_file(reader, key.key.kid))
                for key in newest.keys
                if key.role == GRANT_ROLE and rules.may_sign(key, day)
            ]

    def warn_of_roots(self) -> tuple[Path, ...]:
        """Log which key files of roots are where the service runs: it needs none of them."""
        roots = self._vault.roots()
        if roots:
            told = error("publisher/roots-here", paths=", ".join(map(str, roots)))
            _log.warning("%s %s", told.what, told.fix)
        return roots

    def check_ready(self) -> None:
        """Raise what keeps the service from activating a host now."""
        reading = self._clock.read()
        self._clock.believe(reading)
        with self._store.view() as reader:
            newest, _ = self._documents.known(reader)
        if rules.choose_key(newest, newest, GRANT_ROLE, rules.today(reading.now)) is None:
            raise error("publisher/no-key", role=GRANT_ROLE, trust=newest.version)


def open_service(folder: Path, vault: Vault, clock: BootClock, url: str = "") -> PublisherService:
    """Open the service of the publisher in a store folder. Raises: as `PublisherService`, and the
    errors of opening its database."""
    store = open_store(folder, clock.now(), url=url)
    try:
        if not store.database.check(START_CHECK_SECONDS):
            _log.info("the database is large: it was not checked to its end")
        return PublisherService(store, vault, clock)
    except BaseException:
        store.close()
        raise
