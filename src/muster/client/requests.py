"""What a machine remembers of its own requests, so that the next one proves itself.

Decides which secrets a request shows and when it says that it was sent. Pure. Obeys
docs/spec/01-identities.md, section 1.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from muster.core.identity import nonce_of
from muster.core.products import SKEW

KEPT = 4
"""Requests that are remembered of those that brought a lease; and hosts that gave one."""
KEPT_SENT = 8
"""Requests that are remembered of those sent since: the first and the newest ones."""
KEPT_SEEDS = 4
"""Seeds of machine keys that a store keeps: the present one, and those before it."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Nonces of a machine's requests, oldest first, and the `sent_at` of the last one.

    `leased` brought a lease; `sent` went out since, and nobody knows which of them a host has
    seen. `hosts` has the last one that brought a lease for each host, by address, the host that
    was asked last at the end: however often another host was asked since, it stands for the line.
    """

    leased: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    sent_at: int = 0
    hosts: tuple[tuple[str, str], ...] = ()

    @property
    def nonces(self) -> tuple[str, ...]:
        """All of them, each once, in the order in which a request shows their secrets."""
        by_host = (nonce for _, nonce in self.hosts)
        return tuple(dict.fromkeys((*by_host, *self.leased, *self.sent)))

    def next_sent_at(self, now: int) -> int:
        """The `sent_at` of the next request, Unix seconds: after the last one, unless that one
        was sent under another clock.

        Args:
            now: the clock.
        """
        return self.sent_at + 1 if now <= self.sent_at < now + SKEW else now

    def sending(self, nonce: str, now: int) -> Requests:
        """The same before a request with this nonce leaves the machine."""
        sent = (*self.sent, nonce)
        if len(sent) > KEPT_SENT:
            sent = (sent[0], *sent[1 - KEPT_SENT :])
        return replace(self, sent=sent, sent_at=self.next_sent_at(now))

    def answered(self, nonce: str, host: str = "") -> Requests:
        """The same after a lease for this nonce was verified.

        Args:
            host: the address of the host that gave it, "" where it shall not be remembered.
        """
        hosts = self.hosts
        if host:
            others = (one for one in hosts if one[0] != host)
            hosts = (*others, (host, nonce))[-KEPT:]
        return replace(self, leased=(*self.leased, nonce)[-KEPT:], sent=(), hosts=hosts)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only the owner of a store reads: seeds of machine keys by CMID, the newest last, and
    secrets of requests by nonce; 32 bytes each."""

    seeds: Mapping[str, bytes] = field(default_factory=dict)
    spent: Mapping[str, bytes] = field(default_factory=dict)

    def of(self, nonces: Sequence[str]) -> tuple[bytes, ...]:
        """The secrets behind these nonces, as far as they are here."""
        return tuple(self.spent[nonce] for nonce in nonces if nonce in self.spent)

    def with_seed(self, cmid: str, seed: bytes) -> Secrets:
        """The same with the seed of another machine key."""
        others = [one for one in self.seeds.items() if one[0] != cmid]
        return replace(self, seeds=dict([*others, (cmid, seed)][-KEPT_SEEDS:]))

    def with_secret(self, secret: bytes) -> Secrets:
        """The same with the secret of another request."""
        return replace(self, spent={**self.spent, nonce_of(secret): secret})

    def kept(self, requests: Requests) -> Secrets:
        """What is still of use: the newest seeds, and the secrets that will be shown."""
        spent = {nonce: self.spent[nonce] for nonce in requests.nonces if nonce in self.spent}
        return Secrets(dict(list(self.seeds.items())[-KEPT_SEEDS:]), spent)
