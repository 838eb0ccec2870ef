"""Names and identities: publishers, machines, fingerprints, bindings, nonces, licence ids.

Decides what name follows from what input, byte for byte, and what texts may be names at all.
Refuses to know where facts, randomness and secrets come from: they are passed in.
Obeys docs/spec/01-identities.md, sections 1.2, 1.3 and 1.6 to 1.8.

Every scrypt here has N = 2^14, r = 8, p = 1 and 32 bytes of result: some 50 ms of one core.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Iterable

from muster.core import grammar, macs
from muster.core.catalogue import error
from muster.core.keys import KeyId
from muster.core.values import dataclass

IDENTITY_MODES = ("machine", "device", "node", "explicit")
"""How a machine gets its CMID; the words are in requests and leases."""
MAX_COMMITMENTS = 16
"""Commitments of a fingerprint at most."""
WEAK_BELOW = 2
"""A fingerprint of fewer different letters is shown as weak."""
LETTERS = {
    "system-uuid": "u",
    "board-serial": "b",
    "product-serial": "p",
    "cloud-instance": "c",
    "disk-serial": "d",
    "permanent-macs": "n",
}
"""Facts that a machine carries, by name, and the letter of their commitments; no other fact has
a commitment."""
ADDRESSES = "permanent-macs"
"""Name of the fact whose value is several addresses, joined by commas."""
ADDRESS = "permanent-mac"
"""Name of one of them in every hash."""
PRIMARY_FACTS = ("system-uuid", "board-serial", "cloud-instance", ADDRESS)
"""Names of the facts that may bind a licence, best first."""
STORE_RANDOM = "store-random"
"""Name of the fact that is used when the machine has none of these."""

_FACT_BYTES = 1024
_EXPLICIT_BYTES = 256


# Grammars (section 1.1). Each returns the text, or raises id/grammar naming the field.


def _check(pattern: re.Pattern[str], value: object, field: str, form: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise error("id/grammar", field=field, grammar=form)
    return value


def check_publisher_id(value: object) -> str:
    """A publisher id: 16 characters of lower-case base32. Raises `id/grammar`."""
    return _check(grammar.PUBLISHER_ID, value, "publisher", "16 characters a-z and 2-7")


def check_label(value: object) -> str:
    """A publisher's label, `[a-z0-9-]{1,20}`. Raises `id/grammar`."""
    return _check(grammar.LABEL, value, "label", "1 to 20 characters a-z, 0-9 and -")


def check_name(value: object, field: str = "id") -> str:
    """The id of a product, key group or application, `[a-z0-9.-]{1,64}`. Raises `id/grammar`."""
    return _check(grammar.NAME, value, field, "1 to 64 characters a-z, 0-9, . and -")


def check_uuid(value: object, field: str = "cmid") -> str:
    """A lower-case UUID with hyphens. Raises `id/grammar`."""
    return _check(grammar.UUID, value, field, "a lower-case UUID")


def check_token(value: object, field: str = "nonce") -> str:
    """A nonce or `jti`: 16 bytes as 22 characters of canonical base64url. Raises `id/grammar`."""
    return _check(grammar.BASE64URL_16, value, field, "22 characters of base64url")


def check_binding(value: object) -> str:
    """A binding: 25 lower-case hexadecimal digits. Raises `id/grammar`."""
    return _check(grammar.BINDING, value, "binding", "25 lower-case hexadecimal digits")


def check_hardware_id(value: object) -> str:
    """A hardware id: 12 lower-case hexadecimal digits. Raises `id/grammar`."""
    return _check(grammar.HARDWARE_ID, value, "hw", "12 lower-case hexadecimal digits")


def check_mode(value: object) -> str:
    """An identity mode. Raises `id/grammar`."""
    if not isinstance(value, str) or value not in IDENTITY_MODES:
        raise error("id/grammar", field="identity", grammar=f"one of {', '.join(IDENTITY_MODES)}")
    return value


def check_fingerprint(value: object) -> tuple[str, ...]:
    """A fingerprint as it travels: at most 16 commitments, sorted and distinct.

    None at all passes here; only mode `explicit` may have none, which whoever reads the request
    or the lease judges. Raises `id/grammar`.
    """
    form = f"up to {MAX_COMMITMENTS} sorted, distinct strings of a letter and 16 digits"
    if not isinstance(value, list | tuple) or len(value) > MAX_COMMITMENTS:
        raise error("id/grammar", field="fingerprint", grammar=form)
    sorted_letters = tuple(_check(grammar.COMMITMENT, item, "fingerprint", form) for item in value)
    if list(sorted_letters) != sorted(set(sorted_letters)):
        raise error("id/grammar", field="fingerprint", grammar=form)
    return sorted_letters


# Publishers (section 1.2).


def _publisher_hash(root_public: bytes) -> bytes:
    if len(root_public) != 32:
        raise ValueError("a root has 32 bytes")
    return hashlib.sha256(b"muster-publisher-v1" + root_public).digest()


def publisher_id(root_public: bytes) -> str:
    """The id of a publisher, for ever, from the 32 bytes of its first root."""
    return base64.b32encode(_publisher_hash(root_public)[:10]).decode("ascii").lower()


def publisher_prefix(root_public: bytes) -> int:
    """The first 16 bits of the hash behind the publisher id: what product keys carry."""
    return int.from_bytes(_publisher_hash(root_public)[:2], "big")


def prefix_of(publisher: str) -> int:
    """The same 16 bits, read from a publisher id. Raises `id/grammar`."""
    return int.from_bytes(base64.b32decode(check_publisher_id(publisher).upper())[:2], "big")


# Machines (section 1.3).


def scrypt(secret: bytes, salt: bytes) -> bytes:
    """scrypt with the one set of parameters of Muster; 32 bytes."""
    return hashlib.scrypt(secret, salt=salt, n=1 << 14, r=8, p=1, maxmem=64 << 20, dklen=32)


def machine_cmid(publisher: str, mode: str, public: bytes) -> str:
    """The CMID of a machine: the name of its public key among the hosts of one publisher (UUIDv8).

    Args:
        publisher: publisher id; another publisher sees another CMID.
        mode: identity mode; both `id/grammar` otherwise.
        public: the 32 bytes of the Ed25519 machine key.
    Source: docs/spec/01-identities.md, section 1.3.
    """
    if len(public) != 32:
        raise ValueError("a machine key has 32 bytes")
    name = check_publisher_id(publisher).encode("ascii") + check_mode(mode).encode("ascii")
    raw = bytearray(hashlib.sha256(b"muster-cmid-v2" + name + public).digest()[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def one_uuid(text: str) -> str:
    """The one text of a system UUID, whichever byte order its reader took.

    Firmware and hypervisors disagree about the order of the bytes of the first three fields; both
    texts are one machine, so of the two the lexicographically smaller one is hashed.

    Args:
        text: a lower-case UUID with hyphens (`id/grammar` otherwise).
    Source: docs/spec/01-identities.md, section 1.6.1.
    """
    raw = bytes.fromhex(check_uuid(text, "system UUID").replace("-", ""))
    other = (raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]).hex()
    return min(text, f"{other[:8]}-{other[8:12]}-{other[12:16]}-{other[16:20]}-{other[20:]}")


def device_seed(system_uuid: str, publisher: str) -> bytes:
    """The seed of the machine key in mode `device`: 32 bytes, the same after every boot.

    Args:
        system_uuid: the hardware's UUID, lower case with hyphens (`id/grammar` otherwise).
        publisher: publisher id.
    Source: docs/spec/01-identities.md, section 1.3.
    """
    secret = one_uuid(check_uuid(system_uuid, "system UUID")).encode("ascii")
    return scrypt(secret, b"muster-device-v2" + check_publisher_id(publisher).encode("ascii"))


def explicit_seed(publisher: str, given: str) -> bytes:
    """The seed of the machine key in mode `explicit`: 32 bytes, from an id of the operator's.

    Args:
        publisher: publisher id.
        given: 1 to 256 bytes of UTF-8; the operator sees to it that it is unique
            (`id/explicit` otherwise).
    Source: docs/spec/01-identities.md, section 1.3.
    """
    raw = _utf8(given)
    if raw is None or not 1 <= len(raw) <= _EXPLICIT_BYTES:
        raise error("id/explicit", maximum=_EXPLICIT_BYTES)
    return scrypt(raw, b"muster-explicit-v2" + check_publisher_id(publisher).encode("ascii"))


def _utf8(text: str) -> bytes | None:
    """The text in UTF-8, or None when it holds a lone surrogate."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None


# Fingerprints (section 1.6).


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """Something that the machine knows of itself, such as its board serial.

    `name` `[a-z0-9-]{1,32}`; `value` 1 to 1024 bytes of UTF-8. Raises `id/fact`. Facts never
    leave the machine; what leaves are commitments.
    """

    name: str
    value: str

    def __post_init__(self) -> None:
        raw = _utf8(self.value)
        if (
            grammar.FACT_NAME.fullmatch(self.name) is None
            or raw is None
            or not 1 <= len(raw) <= _FACT_BYTES
        ):
            raise error("id/fact")

    @property
    def raw(self) -> bytes:
        """`name ‖ 0x00 ‖ value` in UTF-8: the form that goes into every hash.

        A system UUID goes in as its one text.
        """
        value = self.value
        if self.name == "system-uuid" and grammar.UUID.fullmatch(value):
            value = one_uuid(value)
        return self.name.encode("ascii") + b"\x00" + value.encode("utf-8")


def _carried(facts: Iterable[Fact]) -> list[tuple[str, Fact]]:
    """Letter and fact of everything that a machine carries: facts by the table, then addresses."""
    known = {fact.name: fact for fact in sorted(facts, reverse=True)}
    carried = [(LETTERS[name], known[name]) for name in LETTERS if name in known]
    plain = [pair for pair in carried if pair[1].name != ADDRESSES]
    several = known[ADDRESSES].value.split(",") if ADDRESSES in known else []
    return plain + [
        (LETTERS[ADDRESSES], Fact(ADDRESS, value)) for value in sorted(set(several)) if value
    ]


def commitments(salt: bytes, facts: Iterable[Fact]) -> tuple[str, ...]:
    """The fingerprint of a machine: one commitment a fact that it carries, sorted and distinct.

    Args:
        salt: random bytes of the store, or `device_salt`.
        facts: any; those without a letter are carried by the image, and passed over.
    Returns:
        At most 16 strings of a letter and 16 lower-case hexadecimal digits; of more addresses
        the lowest.
    Source: docs/spec/01-identities.md, section 1.6.2.
    """
    kept = _carried(facts)[:MAX_COMMITMENTS]
    return tuple(sorted({letter + commitment(salt, fact) for letter, fact in kept}))


def commitment(salt: bytes, fact: Fact) -> str:
    """What tells a fact again without telling it: 16 lower-case hexadecimal digits."""
    return hmac.digest(salt, fact.raw, hashlib.sha256)[:8].hex()


def device_salt(system_uuid: str, publisher: str) -> bytes:
    """The salt of fingerprints in mode `device`: 32 bytes, the same after every boot."""
    secret = one_uuid(check_uuid(system_uuid, "system UUID")).encode("ascii")
    return scrypt(secret, b"muster-fp-v1" + check_publisher_id(publisher).encode("ascii"))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two fingerprints say of each other: letters that agree, letters that contradict."""

    agreeing: tuple[str, ...]
    contradicting: tuple[str, ...]

    @property
    def comparable(self) -> bool:
        """Whether they have any letter in common."""
        return bool(self.agreeing or self.contradicting)

    @property
    def same(self) -> bool:
        """Whether they are of one machine."""
        agree = {_VOICES.get(letter, letter) for letter in self.agreeing}
        contradict = {_VOICES.get(letter, letter) for letter in self.contradicting} - agree
        return "u" not in contradict and len(agree) >= max(1, len(contradict))

    @property
    def text(self) -> str:
        """The comparison for people: "system-uuid differs, disk-serial agrees"."""
        names = {letter: name for name, letter in LETTERS.items()}
        parts = [f"{names.get(letter, letter)} differs" for letter in self.contradicting]
        parts += [f"{names.get(letter, letter)} agrees" for letter in self.agreeing]
        return ", ".join(parts) or "no fact can be compared"


_VOICES = {"b": "bp", "p": "bp"}
"""Letters that speak together: serials written by one hand at the factory."""


def compare(stored: Collection[str], now: Collection[str]) -> Comparison:
    """Compare a stored fingerprint with one of now, letter by letter.

    A letter that only one of them has says nothing. `permanent-macs` agree when any address does.
    Source: docs/spec/01-identities.md, section 1.6.3.
    """
    shared = {text[0] for text in set(stored) & set(now)}
    both = {text[0] for text in stored} & {text[0] for text in now}
    return Comparison(tuple(sorted(shared)), tuple(sorted(both - shared)))


def matches(stored: Collection[str], now: Collection[str]) -> bool:
    """Whether two fingerprints are of one machine.

    An empty fingerprint never matches: a lease without facts is a bearer licence, and whoever
    allows that (mode `explicit`) says so instead of asking here.
    Source: docs/spec/01-identities.md, section 1.6.3.
    """
    return compare(stored, now).same


def weak(fingerprint: Collection[str]) -> bool:
    """Whether a fingerprint rests on fewer than two kinds of facts."""
    return len({text[0] for text in fingerprint}) < WEAK_BELOW


# Bindings (section 1.7).


def binding_facts(facts: Iterable[Fact], store_random: bytes) -> tuple[Fact, ...]:
    """The facts to which a perpetual licence may be bound, best first.

    Those of `PRIMARY_FACTS` that the machine has, an address only if it lasts; last 32 random
    bytes of the store in lower-case hexadecimal, under the name `store-random` (with them an ID
    does not survive a reinstall, and whoever shows it says so).
    Source: docs/spec/01-identities.md, section 1.7.1.
    """
    if len(store_random) != 32:
        raise ValueError("the store's random value has 32 bytes")
    chosen = [fact for _, fact in _carried(facts)]
    lasting = [fact for fact in chosen if fact.name != ADDRESS or macs.lasts(fact.value)]
    ordered = [fact for name in PRIMARY_FACTS for fact in lasting if fact.name == name]
    return (*ordered, Fact(STORE_RANDOM, store_random.hex()))


def primary_fact(facts: Iterable[Fact], store_random: bytes) -> Fact:
    """The one fact to which a perpetual licence is bound where the store knows of no other.

    Source: docs/spec/01-identities.md, section 1.7.1.
    """
    return binding_facts(facts, store_random)[0]


def _bound(word: bytes, publisher: str, key_id: KeyId, rest: bytes) -> str:
    name = check_publisher_id(publisher).encode("ascii")
    return hashlib.sha256(word + name + key_id.packed + rest).hexdigest()


def facts_salt(publisher: str, key_id: KeyId, tag_bytes: bytes) -> bytes:
    """The salt of facts, 32 bytes: what a machine keeps of a key so that it can verify without it.

    It does not give the tag back but to who tries tags, at one scrypt each.
    Source: docs/spec/01-identities.md, section 1.7.2 and section 1.7.5.
    """
    if len(tag_bytes) != 7:
        raise ValueError("a tag has 7 bytes")
    name = check_publisher_id(publisher).encode("ascii")
    return scrypt(tag_bytes, b"muster-facts-v1" + name + key_id.packed)


def _facts_hash(salt: bytes, primary: Fact) -> bytes:
    if len(salt) != 32:
        raise ValueError("a facts salt has 32 bytes")
    return scrypt(primary.raw, salt)


def salted_binding(publisher: str, key_id: KeyId, salt: bytes, primary: Fact) -> str:
    """The binding of a machine and a product key: 100 bits, 25 hexadecimal digits.

    The same hardware and key give the same binding after any reinstall.

    Args:
        salt: `facts_salt` of the key.
    Source: docs/spec/01-identities.md, section 1.7.2.
    """
    hashed = _facts_hash(salt, primary)
    return _bound(b"muster-binding-v1", publisher, key_id, hashed)[:25]


def binding(publisher: str, key_id: KeyId, tag_bytes: bytes, primary: Fact) -> str:
    """The same from the tag, for who has the whole key at hand."""
    salt = facts_salt(publisher, key_id, tag_bytes)
    return salted_binding(publisher, key_id, salt, primary)


def host_binding(publisher: str, key_id: KeyId, host_public: bytes) -> str:
    """The binding of a host: of its 32-byte public signing key in place of facts.

    Source: docs/spec/01-identities.md, section 1.7.3.
    """
    if len(host_public) != 32:
        raise ValueError("a host signing key has 32 bytes")
    return _bound(b"muster-host-v1", publisher, key_id, host_public)[:25]


def hardware_id(publisher: str, key_id: KeyId, tag_bytes: bytes, primary: Fact) -> str:
    """The hardware id of a host: 48 bits, 12 hexadecimal digits; counts as one of its key's six.

    Source: docs/spec/01-identities.md, section 1.7.4.
    """
    hashed = _facts_hash(facts_salt(publisher, key_id, tag_bytes), primary)
    return _bound(b"muster-hw-v1", publisher, key_id, hashed)[:12]


# Nonces and licence ids (section 1.8).


def _token(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode("ascii")


def nonce_of(drawn: bytes) -> str:
    """The nonce of 16 random bytes, in base64url; 22 characters."""
    if len(drawn) != 16:
        raise ValueError("a nonce has 16 bytes")
    return _token(drawn)


def nonce_prefix(nonce: str) -> str:
    """The prefix by which later requests show a nonce: its first 8 characters."""
    return nonce[:8]


def grant_jti(publisher: str, key_id: KeyId, binding_hex: str) -> str:
    """The licence id of a grant: a function of publisher, key and binding; 22 characters."""
    name = (
        f"muster-jti-v1/{check_publisher_id(publisher)}/{key_id.text}/{check_binding(binding_hex)}"
    )
    return _token(hashlib.sha256(name.encode("ascii")).digest())
