"""What a machine remembers of its own requests, so that the next one proves itself.

Decides which nonces a request shows and when it says that it was sent. Pure. Obeys
docs/spec/01-identities.md, section 1.8.
"""

from __future__ import annotations

from collections.abc import Mapping

from muster.core.identity import nonce_prefix
from muster.core.products import SKEW
from muster.core.values import dataclass, field, replace

KEPT_HOSTS = 4
"""Hosts that gave a lease and whose last request is remembered."""
KEPT_NEWEST = 123
"""Requests that are remembered whatever became of them."""
KEPT_SEEDS = 4
"""Seeds of machine keys that a store keeps: the present one, and those before it."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Prefixes of the nonces of a machine's requests, and the `sent_at` of the last one.

    `newest` are those of the last ones, oldest first; nobody knows which of them a host has seen.
    `first` is the first one since the last lease, "" for none. `hosts` has the last one that
    brought a lease for each host, by address, the host that was asked last at the end: however
    often another host was asked since, it stands for the line. `challenges` has what each of these
    hosts gave for the next request to it, by address.
    """

    newest: tuple[str, ...] = ()
    first: str = ""
    sent_at: int = 0
    hosts: tuple[tuple[str, str], ...] = ()
    challenges: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> tuple[str, ...]:
        """All of them, each once, as a request shows them; at most 128.

        Source: docs/spec/01-identities.md, section 1.8.1.
        """
        by_host = (prefix for _, prefix in self.hosts)
        first = (self.first,) if self.first else ()
        return tuple(dict.fromkeys((*by_host, *first, *self.newest)))

    def next_sent_at(self, now: int) -> int:
        """The `sent_at` of the next request, Unix seconds: after the last one, unless that one
        was sent under another clock.

        Args:
            now: the clock.
        """
        return self.sent_at + 1 if now <= self.sent_at < now + SKEW else now

    def sending(self, nonce: str, now: int) -> Requests:
        """The same before a request with this nonce leaves the machine."""
        prefix = nonce_prefix(nonce)
        return replace(
            self,
            newest=(*self.newest, prefix)[-KEPT_NEWEST:],
            first=self.first or prefix,
            sent_at=self.next_sent_at(now),
        )

    def challenge_of(self, host: str) -> str:
        """What the next request to this host carries, "" where it gave nothing."""
        return dict(self.challenges).get(host, "")

    def answered(self, nonce: str, host: str, challenge: str = "") -> Requests:
        """The same after a lease for this nonce was verified.

        Args:
            host: the address of the host that gave it.
            challenge: what it gave with it, "" for nothing.
        """
        others = (pair for pair in self.hosts if pair[0] != host)
        hosts = (*others, (host, nonce_prefix(nonce)))[-KEPT_HOSTS:]
        given = {**dict(self.challenges), host: challenge}
        kept = tuple((name, given[name]) for name, _ in hosts if given.get(name))
        return replace(self, first="", hosts=hosts, challenges=kept)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only the owner of a store reads: seeds of machine keys by CMID, the newest last; 32
    bytes each."""

    seeds: Mapping[str, bytes] = field(default_factory=dict)

    def with_seed(self, cmid: str, seed: bytes) -> Secrets:
        """The same with the seed of another machine key; the newest `KEPT_SEEDS` stay."""
        others = [pair for pair in self.seeds.items() if pair[0] != cmid]
        return Secrets(dict([*others, (cmid, seed)][-KEPT_SEEDS:]))
