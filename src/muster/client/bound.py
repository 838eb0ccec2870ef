"""Which fact of the machine a one-time licence is bound to, and the binding that follows. Pure.

The store remembers for each key the fact behind its binding: so a fact that can be read only later,
a dock or a second card draws no second licence. Nothing that is remembered is an authority: the
binding in the grant decides, and only a fact that the machine has now can give it again.
Obeys docs/spec/01-identities.md, section 1.7.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.client.model import BoundFact, Memory
from muster.core.identity import (
    ADDRESS,
    ADDRESSES,
    STORE_RANDOM,
    Fact,
    binding_facts,
    commitment,
    salted_binding,
)
from muster.core.keys import KeyId

_TRIED = 8
"""Facts of which a binding is made to find the one of a grant; each costs an scrypt."""


def _facts(memory: Memory, key: str, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that may be behind the binding of a key, the likeliest first."""
    candidates = list(binding_facts(facts, memory.identity.store_random))
    known = memory.bound.get(key)
    if known is not None:
        candidates.sort(key=lambda fact: _mark(memory, fact) != known)
    return candidates


def _mark(memory: Memory, fact: Fact) -> BoundFact:
    return BoundFact(fact.name, commitment(memory.identity.store_random, fact))


def chosen(memory: Memory, key: str, facts: Sequence[Fact]) -> Fact:
    """The fact that a key's licence is bound to: the remembered one while it is there."""
    return _facts(memory, key, facts)[0]


def binding_of(memory: Memory, key: str, salt: bytes, facts: Sequence[Fact]) -> str:
    """The binding of this machine for one product key: 25 hexadecimal digits.

    Args:
        key: key id as text.
        salt: the facts salt of the product key.
    """
    return salted_binding(memory.publisher, KeyId.parse(key), salt, chosen(memory, key, facts))


def binding_like(
    memory: Memory, key: str, salt: bytes, facts: Sequence[Fact], wanted: str
) -> tuple[str, Fact]:
    """The binding of a grant, where a fact of this machine gives it, and that fact.

    Args:
        wanted: the binding in the grant.
    Returns:
        The wanted binding, or that of the likeliest fact.
    """
    likely = _facts(memory, key, facts)[:_TRIED]
    first = ""
    for fact in likely:
        binding = salted_binding(memory.publisher, KeyId.parse(key), salt, fact)
        if binding == wanted:
            return binding, fact
        first = first or binding
    return first, likely[0]


def remembered(memory: Memory, key: str, fact: Fact) -> Memory:
    """The memory, knowing which fact the licence of a key is bound to."""
    return memory.bound_to(key, _mark(memory, fact))


def unreadable(memory: Memory, key: str, facts: Sequence[Fact]) -> str:
    """The name of the remembered fact, where this user cannot read any of that name; else ""."""
    known = memory.bound.get(key)
    if known is None or known.name == STORE_RANDOM:
        return ""
    name = ADDRESSES if known.name == ADDRESS else known.name
    return "" if any(fact.name == name for fact in facts) else name


def lasting(memory: Memory, key: str, facts: Sequence[Fact]) -> bool:
    """Whether the binding comes from the hardware and not from the store's random value."""
    return chosen(memory, key, facts).name != STORE_RANDOM
