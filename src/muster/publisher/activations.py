"""Activation at a publisher, through every door: of hosts, and by `muster.publisher.pools` of
machines.

Decides one activation of a host in one transaction: the rules judge, the tables change, the grant
is signed, and all of it is durable before the answer leaves. Refuses to know HTTP, files and
desks. It opens grant keys only; roots, catalogue key and tag key belong to `muster.publisher.act`.
Obeys docs/spec/08-http.md, section 8.5, and docs/spec/04-grant-function.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.clock import BootClock
from muster.core.errors import MusterError
from muster.core.ids import InstallationId, check_proof, parse_installation_id
from muster.core.keys import Kind
from muster.core.values import dataclass, replace
from muster.db.engine import Reader, Transaction
from muster.lease.catalogue import Catalogue, read_catalogue
from muster.lease.grant import GrantValues, confirmation_of, issue_grant, read_grant
from muster.lease.jws import SigningKey
from muster.lease.trust import GRANT_ROLE, Trust, TrustKey, anchor, walk
from muster.publisher import rules, tables, terms
from muster.publisher.document_cache import DocumentCache
from muster.publisher.evidence import CheckedClock, Reading
from muster.publisher.model import HostGrant, IssuedKey, Publisher
from muster.publisher.pools import Activated, Pools
from muster.publisher.store import Store
from muster.publisher.throttle import Guesses, Unthrottled
from muster.publisher.vault import Vault
from muster.wire.publisher import TRUST_STEPS, ConfirmAnswer


@dataclass(frozen=True, slots=True)
class HostActivation:
    """The answer, the grant behind it, and whether something was drawn for it."""

    answer: ConfirmAnswer
    grant: HostGrant
    drawn: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an installation ID of any kind, and whether something was drawn for it."""

    answer: ConfirmAnswer
    drawn: bool


@dataclass(frozen=True, slots=True)
class _Decision:
    """What one state of the tables says of a request; `signer` is None where nothing is signed."""

    key: IssuedKey
    outcome: rules.Again | rules.Draw
    newest: Trust
    catalogue: Catalogue
    held: int
    signer: TrustKey | None


class Activations:
    """Activation by one publisher. May be used from any thread, and by several processes.

    Args:
        store: its tables.
        vault: its key files; asked for grant keys only.
        clock: the publisher's clock, believed as `evidence` says.
    Raises: `publisher/none`, `publisher/damaged` (the line of trust is not valid).
    """

    def __init__(self, store: Store, vault: Vault, clock: BootClock) -> None:
        self._store = store
        self._vault = vault
        self._clock = CheckedClock(store, vault.folder.parent, clock)
        self._documents = DocumentCache()
        with store.view() as reader:
            found = tables.documents.publisher(reader)
            if found is None:
                raise error("publisher/none", path="this store")
            _check_line(reader)
        self.publisher: Publisher = found
        self.pools = Pools(found.id, store, vault, self._clock, self._documents)

    def activate(self, installation_id: str, channel: str) -> Answered:
        """Answer any installation ID, of a host or of a machine: the one function of all channels.

        Raises: as `activate_host`, or the error of the row of `Pools.activate`.
        """
        iid = parse_installation_id(installation_id)
        if iid.key_id.kind is Kind.HOST:
            found = self.activate_host(installation_id, channel)
            return Answered(found.answer, found.drawn)
        activated = self.pools.activate([installation_id], channel)
        return Answered(activated.answer(), activated.drawn)

    def activate_batch(
        self,
        installation_ids: Sequence[str],
        channel: str = "batch",
        guesses: Guesses | None = None,
    ) -> Activated:
        """Answer installation IDs of machines, all of one key; see `Pools.activate`."""
        return self.pools.activate(installation_ids, channel, guesses)

    def activate_host(
        self, installation_id: str, channel: str, guesses: Guesses | None = None, name: str = ""
    ) -> HostActivation:
        """Answer a host's installation ID with its grant.

        The same host signing key gets the same grant, byte for byte, and uses no other
        activation, whichever way it comes.

        Args:
            installation_id: 15 groups of digits, as typed, read or sent.
            channel: through which it came, for the audit: "http", "file" or "desk".
            guesses: throttles whoever asks; nobody by default.
            name: what the host calls itself; the first one stays. A stranger's word, for the list
                of hosts.
        Raises: `publisher/too-many`, the errors of reading an installation ID (`digits/…`, `id/…`),
            `publisher/not-host-key`, `publisher/unknown-key` (before any scrypt), `id/proof`, those
            of `rules.decide_host`, `publisher/trust-unknown`, `publisher/update-trust-first`,
            `publisher/clock`.
        """
        with (guesses or Unthrottled()).guess() as enter:
            iid = parse_installation_id(installation_id)
            enter((int(iid.key_id.kind), iid.key_id.group))
            reading = self._clock.unchecked()
            found = self._activate_host(iid, channel, reading)
            if name and not found.grant.name:
                with self._store.edit() as tx:
                    tables.grants.name_grant(tx, found.grant.key, found.grant.binding, name)
            return self._with_terms(found, channel, reading)

    def _with_terms(self, found: HostActivation, channel: str, reading: Reading) -> HostActivation:
        """Let the terms of the grant ride along, signed again where their key was withdrawn."""
        jti = found.grant.jti
        with self._store.view() as reader:
            held = tables.grants.host_terms(reader, jti)
            if held is None:
                return found
            newest, catalogue = self._documents.known(reader)
            if terms.still_accepted(held, newest):
                return replace(found, answer=replace(found.answer, terms=held.text))
        self._clock.believe(reading)
        now = reading.now
        with self._store.view() as reader:
            entry = terms.signer_of(newest, now)
            record = tables.documents.key_file(reader, entry.key.kid)
        key = self._vault.signing_key(record, entry.key)
        with self._store.edit() as tx:
            again = tables.grants.host_terms(tx, jti)
            if again is None or again.version == held.version:
                again = terms.issue(
                    tx,
                    found.grant,
                    (newest, catalogue),
                    key,
                    now,
                    f"door:{channel}",
                    terms.ceiling_of(held),
                )
        return replace(found, answer=replace(found.answer, terms=again.text))

    def _activate_host(self, iid: InstallationId, channel: str, reading: Reading) -> HostActivation:
        now = reading.now
        while True:
            with self._store.view() as reader:
                decision = self._decide(reader, iid, now)
                file = (
                    tables.documents.key_file(reader, decision.signer.key.kid)
                    if decision.signer
                    else None
                )
            if decision.signer is None:
                assert isinstance(decision.outcome, rules.Again)
                return self._give_again(decision, decision.outcome.grant, now)
            self._clock.believe(reading)
            # Opening a key file may take a second: never inside a transaction.
            key = self._vault.signing_key(file, decision.signer.key)
            with self._store.edit() as tx:
                again = self._decide(tx, iid, now)
                if again.signer is not None and again.signer.key == key.public:
                    return self._carry_out(tx, again, iid, key, now, channel)
            # The keys were rotated, or the same host was served, between the two looks.

    def _decide(self, reader: Reader, iid: InstallationId, now: int) -> _Decision:
        key = rules.check_host_request(iid, tables.keys.key(reader, iid.key_id))
        check_proof(iid, key.proof_key)
        newest, catalogue = self._documents.known(reader)
        held = self._documents.held(reader, iid.trust_residue)
        hw = iid.hw
        assert hw is not None  # a host key has one: `parse_installation_id`
        outcome = rules.decide_host(
            iid,
            key,
            tables.grants.seat(reader, key.key_id.text, hw),
            tables.grants.grant(reader, key.key_id.text, iid.binding),
            newest,
            now,
        )
        signer: TrustKey | None = None
        if isinstance(outcome, rules.Draw) or outcome.resign:
            signer = rules.choose_key(newest, held, GRANT_ROLE, rules.today(now))
            understood = signer is not None
        else:
            # Digits alone must be enough: the asker's trust must know the key that signed.
            understood = rules.accepts_signature(held, outcome.grant.kid, outcome.grant.day)
        if not understood:
            raise error("publisher/update-trust-first", held=held.version, trust=newest.version)
        return _Decision(key, outcome, newest, catalogue, held.version, signer)

    def _carry_out(
        self,
        tx: Transaction,
        decision: _Decision,
        iid: InstallationId,
        key: SigningKey,
        now: int,
        channel: str,
    ) -> HostActivation:
        name = decision.key.key_id.text
        drawn = isinstance(decision.outcome, rules.Draw)
        if isinstance(decision.outcome, rules.Again):
            old = decision.outcome.grant
            grant = self._sign(decision, iid, key, old.day, old.term)
            grant = replace(grant, first_at=old.first_at, last_at=max(now, old.last_at))
            tables.grants.resign_grant(tx, grant)
            tables.grants.touch_grant(tx, name, iid.binding, now)
            detail = {"key": name, "kid": grant.kid, "withdrawn": old.kid}
        else:
            assert iid.hw is not None
            if decision.outcome.new_host and not tables.grants.reserve_host(tx, name, iid.hw, now):
                limit = decision.key.host_limit
                raise error("publisher/hosts-used-up", key=name, limit=limit)
            if not tables.grants.reserve_activation(tx, name, iid.hw):
                limit = decision.key.activation_limit
                raise error("publisher/activations-used-up", key=name, limit=limit)
            grant = self._sign(decision, iid, key, rules.today(now), decision.key.term)
            grant = replace(grant, first_at=now, last_at=now)
            tables.grants.add_grant(tx, grant)
            detail = {"key": name, "kid": grant.kid, "hw": iid.hw}
        tables.audit.write(tx, now, f"door:{channel}", Event.HOST_ACTIVATE, grant.jti, detail)
        return HostActivation(self._answer(tx, decision, grant), grant, drawn=drawn)

    def _sign(
        self, decision: _Decision, iid: InstallationId, key: SigningKey, day: int, term: int
    ) -> HostGrant:
        assert decision.signer is not None
        assert decision.signer.index is not None
        assert iid.hw is not None
        publisher = self.publisher.id
        text = issue_grant(
            GrantValues(
                publisher=publisher,
                key_id=iid.key_id,
                binding=iid.binding,
                hw=iid.hw,
                term=term,
                day=day,
                group=decision.catalogue.group_numbered(iid.key_id.group),
            ),
            key,
        )
        found = read_grant(text, decision.newest, publisher)
        return HostGrant(
            key=iid.key_id.text,
            binding=iid.binding,
            hw=iid.hw,
            jti=found.jti,
            day=day,
            term=term,
            kid=found.kid,
            grant=text,
            confirmation=confirmation_of(text, decision.signer.index).text,
            first_at=0,
            last_at=0,
        )

    def _give_again(self, decision: _Decision, grant: HostGrant, now: int) -> HostActivation:
        if now - grant.last_at >= rules.TOUCH_SECONDS:
            with self._store.edit() as tx:
                tables.grants.touch_grant(tx, grant.key, grant.binding, now)
        with self._store.view() as reader:
            return HostActivation(self._answer(reader, decision, grant), grant, drawn=False)

    def _answer(self, reader: Reader, decision: _Decision, grant: HostGrant) -> ConfirmAnswer:
        return ConfirmAnswer(
            grant=grant.grant,
            confirmation_id=grant.confirmation,
            trust=tuple(
                one.text for one in tables.documents.trust_above(reader, decision.held, TRUST_STEPS)
            ),
            catalogue=decision.catalogue.text,
        )


def _check_line(reader: Reader) -> None:
    """Walk the publisher's own line once, as a client would: a store that was altered is told."""
    try:
        lowest = tables.documents.trust_from(reader, 0)
        if lowest is None:
            raise error("publisher/none", path="this store")
        start = anchor(lowest.text)
        above = tables.documents.trust_above(reader, lowest.version, 1_000_000)
        newest = walk(start, (one.text for one in above), limit=1_000_000)
        read_catalogue(tables.documents.newest_catalogue(reader).text, newest)
    except MusterError as fault:
        if fault.code == "publisher/none":
            raise
        raise error("publisher/damaged", detail=fault.what.rstrip(".")) from fault
