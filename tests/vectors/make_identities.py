"""Makes identities.json: a second, plain writing of docs/spec/01-identities.md.

It shares no code with `muster` on purpose: bits are strings of 0 and 1 here, fields are
polynomials written out, so that the same slip is not made twice.

Run it to write the file, or with --check to compare (exit code 1 when it differs).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = Path(__file__).with_name("identities.json")
ALPHABET = "BCDFGHJKMPQRTVWXY2346789"
KINDS = ["host", "mak", "setup", "evaluation", "retail"]
DAMM = [
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
]
# RFC 8032, section 7.1, TEST 1 to TEST 3: real signatures of Ed25519.
SIGNATURES = [
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
    "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
    "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
    "8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
]


def seed(name: str, size: int = 32) -> bytes:
    """Bytes that only look random: anyone can make them again."""
    return hashlib.sha256(b"muster test vector: " + name.encode()).digest()[:size]


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def scrypt(secret: bytes, *salt: bytes) -> bytes:
    return hashlib.scrypt(secret, salt=b"".join(salt), n=16384, r=8, p=1, dklen=32, maxmem=2**26)


def bits(number: int, width: int) -> str:
    text = f"{number:b}".rjust(width, "0")
    assert len(text) == width, (number, width)
    return text


def first_bits(digest: bytes, width: int) -> str:
    return "".join(f"{byte:08b}" for byte in digest)[:width]


def bit_bytes(text: str, size: int) -> bytes:
    padded = text.rjust(size * 8, "0")
    return bytes(int(padded[at : at + 8], 2) for at in range(0, size * 8, 8))


def bit_hex(text: str) -> str:
    return "".join(f"{int(text[at : at + 4], 2):x}" for at in range(0, len(text), 4))


def symbols(text: str, count: int) -> list[int]:
    number = int(text, 2)
    places = [24**power for power in range(count - 1, -1, -1)]
    values = []
    for place in places:
        values.append(number // place)
        number %= place
    assert number == 0
    assert all(value < 24 for value in values)
    return values


def gf8(a: int, b: int) -> int:
    """Product of two polynomials over GF(2), then reduced by x³ + x + 1, bit by bit."""
    product = 0
    for power in range(3):
        if b & (1 << power):
            product ^= a << power
    for power in (4, 3):
        if product & (1 << power):
            product ^= 0b1011 << (power - 3)
    return product


def holds(values: list[int]) -> bool:
    in_eight, in_three = 0, 0
    weight_eight, weight_three = 1, 1
    for value in reversed(values):
        in_eight ^= gf8(value // 3, weight_eight)
        in_three += (value % 3) * weight_three
        weight_eight, weight_three = gf8(weight_eight, 2), weight_three * 2
    return in_eight == 0 and in_three % 3 == 0


def spell(values: list[int]) -> str:
    text = "".join(ALPHABET[value] for value in values)
    return "-".join([text[:5], text[5:10], text[10:15], text[15:20], text[20:]])


def whole(values: list[int]) -> str:
    """The key of 24 values: the check symbol is found by trying."""
    (check,) = [value for value in range(24) if holds([*values, value])]
    return spell([*values, check])


def damm(place: int, data: str) -> str:
    interim = str(place % 10)
    for digit in data:
        interim = DAMM[int(interim)][int(digit)]
    return interim


def groups(text: str, count: int) -> str:
    digits = str(int(text, 2)).rjust(count * 5, "0")
    assert len(digits) == count * 5
    found = []
    for place in range(count):
        data = digits[place * 5 : place * 5 + 5]
        found.append(data + damm(place, data))
    return "-".join(found)


def token(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest[:16]).decode().replace("=", "")


def uuid_of(raw: bytes, version: int) -> str:
    text = f"{int.from_bytes(raw, 'big'):032x}"
    variant = "89ab"[int(text[16], 16) & 3]
    text = text[:12] + str(version) + text[13:16] + variant + text[17:]
    return str(uuid.UUID(hex=text))


def key_id_bits(kind: int, group: int, serial: int) -> str:
    return bits(kind, 3) + bits(group, 10) + bits(serial, 24)


def publisher(name: str) -> dict[str, Any]:
    root = seed(name)
    digest = sha(b"muster-publisher-v1", root)
    return {
        "root": root.hex(),
        "id": base64.b32encode(digest).decode().lower()[:16],
        "prefix": int(first_bits(digest, 16), 2),
    }


def product_key(
    tag_key: bytes, prefix: int, kind: int, group: int, serial: int
) -> tuple[dict[str, Any], bytes]:
    head = bits(0, 2) + bits(kind, 3) + bits(prefix, 16) + bits(group, 10)
    message = bit_bytes(head, 4) + serial.to_bytes(3, "big")
    tag = first_bits(hmac.new(tag_key, message, "sha256").digest(), 55)
    text = whole([*symbols(head, 7), *symbols(tag, 12), *symbols(bits(serial, 24), 5)])
    key_id = key_id_bits(kind, group, serial)
    case = {
        "tag_key": tag_key.hex(),
        "kind": KINDS[kind],
        "prefix": prefix,
        "group": group,
        "serial": serial,
        "text": text,
        "masked": "XXXXX-XXXXX-XXXXX-XXXXX-" + text[-5:],
        "head_bytes": bit_bytes(head, 4).hex(),
        "tag_bytes": bit_bytes(tag, 7).hex(),
        "key_id": f"{kind}-{group}-{serial}",
        "key_id_packed": bit_bytes(key_id, 5).hex(),
    }
    return case, bit_bytes(tag, 7)


def refused_keys(good: str) -> list[dict[str, str]]:
    """Texts that are no product keys, each with the code that says so."""
    values = [ALPHABET.index(symbol) for symbol in good.replace("-", "")]

    def with_head(number: int) -> str:
        return whole([*symbols(bits(number, 33), 7), *values[7:24]])

    tag_too_large = whole([*values[:7], *[23] * 12, *values[19:24]])
    return [
        {"text": "", "code": "key/length"},
        {"text": good[:-1], "code": "key/length"},
        {"text": good + "B", "code": "key/length"},
        {"text": good.replace("-", "\u30fc"), "code": "key/symbol"},
        {"text": "A" + good[1:], "code": "key/symbol"},
        {"text": "0" + good[1:], "code": "key/symbol"},
        {"text": good[:-1] + "\u212a", "code": "key/symbol"},
        {"text": good[:-1] + "\uff22", "code": "key/symbol"},
        {"text": good + "%20", "code": "key/symbol"},
        {"text": spell([(values[0] + 1) % 24, *values[1:]]), "code": "key/check"},
        {"text": with_head(1 << 29), "code": "key/version"},
        {"text": with_head(3 << 29), "code": "key/version"},
        {"text": with_head(5 << 26), "code": "key/kind"},
        {"text": with_head(7 << 26), "code": "key/kind"},
        {"text": with_head(1 << 31), "code": "key/range"},
        {"text": with_head(24**7 - 1), "code": "key/range"},
        {"text": tag_too_large, "code": "key/range"},
    ]


LETTERS = {
    "system-uuid": "u",
    "board-serial": "b",
    "product-serial": "p",
    "cloud-instance": "c",
    "disk-serial": "d",
}


def one_uuid(text: str) -> str:
    first, second, third, *rest = text.split("-")
    turned = ["".join(re.findall("..", part)[::-1]) for part in (first, second, third)]
    return sorted([text, "-".join([*turned, *rest])])[0]


def fingerprint(key: bytes, facts: dict[str, str]) -> list[str]:
    """Section 1.6.2."""
    raw: list[tuple[str, str]] = []
    for fact, letter in LETTERS.items():
        if fact in facts:
            value = one_uuid(facts[fact]) if letter == "u" else facts[fact]
            raw.append((letter, f"{fact}\0{value}"))
    addresses = sorted(filter(None, facts.get("permanent-macs", "").split(",")))
    raw += [("n", f"permanent-mac\0{address}") for address in addresses]
    return sorted(
        letter + hmac.new(key, text.encode(), "sha256").hexdigest()[:16]
        for letter, text in raw[:16]
    )


# Section 1.6.3: two fingerprints, each written as letters with a number for what is behind them,
# and whether they are of one machine.
PAIRS = [
    ("u1 b1 p1 d1 n1", "u1 b1 p1 d1 n1", True),
    ("", "u1", False),
    ("u1", "", False),
    ("", "", False),
    ("u1", "b1", False),
    ("u1 b1", "p1 n1", False),
    # A new card, a new disk, both; as root and as a user.
    ("u1 b1 p1 d1 n1", "u1 b1 p1 d1 n2", True),
    ("d1 n1", "d1 n2", True),
    ("d1 n1", "d2 n1", True),
    ("d1 n1", "d2 n2", False),
    ("u1 b1 p1 d1 n1", "u1 b1 p1 d2 n2", True),
    ("u1 d1 n1", "u1 d2 n2", False),
    ("b1 p1 d1 n1", "b1 p1 d2 n2", False),
    ("b1 d1 n1", "b1 d2 n1", True),
    # What only one side can read says nothing.
    ("u1 b1 p1 d1 n1", "d1 n1", True),
    ("d1 n1", "u1 b1 p1 d1 n1", True),
    ("u1 b1 p1", "p1 d1 n1", True),
    ("u1 n1", "n2", False),
    ("n1", "u1 n1", True),
    # Several addresses.
    ("n1 n2", "n2 n3", True),
    ("n1 n2 d1", "n3 d1", True),
    ("n1 n2", "n3 n4", False),
    # A UUID that changed, whatever else agrees.
    ("u1 b1 p1 d1 n1", "u2 b1 p1 d1 n1", False),
    ("u1 b1 c1 p1 d1 n1 n2", "u2 b1 c1 p1 d1 n1 n2", False),
    ("u1 n1", "u2 n1", False),
    # A UUID does not accept alone.
    ("u1 n1 d1", "u1 n2 d2", False),
    ("u1 n1", "u1 n2", True),
    ("u1 c1 n1", "u1 c2 n2", False),
    # b and p are one voice.
    ("b1 p1", "b2 p1", True),
    ("b1 p1 n1", "b2 p1 n2", True),
    ("b1 p1 n1", "b2 p2 n1", True),
    ("b1 p1 n1 d1", "b2 p2 n1 d2", False),
    ("b1 p1 n1 d1", "b2 p2 n1 d1", True),
    ("b1 p1", "b1 p1", True),
    ("b1", "b2", False),
    ("b1 n1 d1", "p1 n1 d2", True),
    # Letters that nobody knows yet.
    ("x1 n1", "x1 n2", True),
    ("x1 z1 n1", "x2 z2 n1", False),
    ("x1", "x1", True),
    # Sixteen.
    (" ".join(f"n{n}" for n in range(1, 17)), "n16", True),
    (" ".join(f"n{n}" for n in range(1, 17)), " ".join(f"n{n}" for n in range(17, 33)), False),
]


def drawn(text: str) -> list[str]:
    """A fingerprint of letters with numbers, such as "u1 n1 n2"."""
    return sorted(one[0] + sha(f"fact {one}".encode()).hex()[:16] for one in text.split())


def pair(stored: str, now: str, same: bool) -> dict[str, Any]:
    return {"stored": drawn(stored), "now": drawn(now), "same": same}


def build() -> dict[str, Any]:
    pubs = [publisher("first root"), publisher("another root")]
    pub = pubs[0]
    name = pub["id"].encode()
    system_uuid = "4c4c4544-0043-3510-8052-b4c04f4d4d31"

    tag_key = seed("tag key")
    keys = []
    tags: dict[str, bytes] = {}
    for kind, group, serial in [
        (0, 1, 1),
        (1, 12, 345678),
        (2, 0, 0),
        (3, 1023, 24**5 - 1),
        (4, 512, 65536),
    ]:
        case, tag = product_key(tag_key, pub["prefix"], kind, group, serial)
        keys.append(case)
        tags[case["key_id"]] = tag
    keys.append(product_key(bytes(32), 0, 0, 0, 0)[0])
    keys.append(product_key(bytes([255]) * 32, 65535, 4, 1023, 7_000_000)[0])

    facts = {
        "system-uuid": system_uuid,
        "board-serial": "/7XK1P13/CNFCW0017300AB/",
        "cloud-instance": "i-0123456789abcdef0",
        "permanent-macs": "a4:bf:01:02:03:04,00:1b:21:0a:0b:0c",
        "machine-id": "1c4ad377574c4263adbb7c624b6a3429",
        "cpu-model": "Prozessor für Prüfungen",
    }
    swapped = "44454c4c-4300-1035-8052-b4c04f4d4d31"
    many = {
        "product-serial": "PF0ABCDE",
        "disk-serial": "S4EWNX0R112233",
        "permanent-macs": ",".join(f"a4:bf:01:00:00:{n:02x}" for n in range(20, 0, -1)),
    }
    salt = seed("fingerprint salt")
    device_salt = scrypt(one_uuid(system_uuid).encode(), b"muster-fp-v1", name)

    def bound(word: bytes, key_id: bytes, rest: bytes, width: int) -> str:
        return bit_hex(first_bits(sha(word, name, key_id, rest), width))

    bindings: list[dict[str, Any]] = []
    installation: list[dict[str, Any]] = []
    host_public = seed("host signing key")
    primaries = [
        ("1-12-345678", "system-uuid", system_uuid, 1),
        ("4-512-65536", "board-serial", facts["board-serial"], 255),
        ("3-1023-7962623", "store-random", seed("store").hex(), 256),
        ("1-12-345678", "permanent-mac", "00:1b:21:0a:0b:0c", 2),
        ("1-12-345678", "cloud-instance", facts["cloud-instance"], 3),
        ("1-12-345678", "system-uuid", swapped, 4),
        ("0-1-1", "system-uuid", system_uuid, 1000),
    ]
    for key_id_text, fact, value, trust_version in primaries:
        kind, group, serial = (int(part) for part in key_id_text.split("-"))
        key_bits = key_id_bits(kind, group, serial)
        key_id = bit_bytes(key_bits, 5)
        tag = tags[key_id_text]
        salted = scrypt(tag, b"muster-facts-v1", name, key_id)
        one = one_uuid(value) if fact == "system-uuid" else value
        hashed = scrypt(f"{fact}\0{one}".encode(), salted)
        machine = bound(b"muster-binding-v1", key_id, hashed, 100)
        hw = bound(b"muster-hw-v1", key_id, hashed, 48)
        host = bound(b"muster-host-v1", key_id, host_public, 100)
        bindings.append(
            {
                "publisher": pub["id"],
                "key_id": key_id_text,
                "tag_bytes": tag.hex(),
                "fact": fact,
                "value": value,
                "host_public": host_public.hex(),
                "facts_salt": salted.hex(),
                "binding": machine,
                "hardware_id": hw,
                "host_binding": host,
                "jti": token(sha(f"muster-jti-v1/{pub['id']}/{key_id_text}/{machine}".encode())),
            }
        )
        proof_key = scrypt(tag, b"muster-proof-v1", name, key_id)
        fields = bits(0, 3) + bits(trust_version % 256, 8) + key_bits
        fields += bits(int(host if kind == 0 else machine, 16), 100)
        if kind == 0:
            fields += bits(int(hw, 16), 48)
        message = bit_bytes(fields, 25 if kind == 0 else 19)
        proof = first_bits(hmac.new(proof_key, message, "sha256").digest(), 48)
        installation.append(
            {
                "publisher": pub["id"],
                "trust_version": trust_version,
                "key_id": key_id_text,
                "tag_bytes": tag.hex(),
                "binding": host if kind == 0 else machine,
                "hw": hw if kind == 0 else None,
                "proof_key": proof_key.hex(),
                "proof_input": message.hex(),
                "proof": int(proof, 2),
                "text": groups(fields + proof, 15 if kind == 0 else 12),
            }
        )

    confirmation = []
    for signature, (index, day, term) in zip(
        [*SIGNATURES, "00" * 64, "ff" * 63 + "1f"],
        [(0, 0, 0), (7, 400, 3), (255, 65535, 63), (0, 0, 0), (255, 65535, 63)],
        strict=True,
    ):
        raw = bytes.fromhex(signature)
        fields = bits(0, 2) + bits(index, 8) + bits(day, 16) + bits(term, 6)
        fields += first_bits(raw[:32], 256) + bits(int(raw[:31:-1].hex(), 16), 253)
        confirmation.append(
            {
                "key_index": index,
                "day": day,
                "term": term,
                "signature": signature,
                "text": groups(fields, 33),
            }
        )

    machine_ok = installation[0]["text"].replace("-", "")
    number = int("".join(machine_ok[at : at + 5] for at in range(0, 72, 6)))
    shown = f"{number:0196b}"
    refused_ids: list[dict[str, str]] = [
        {"text": installation[0]["text"][:-1], "code": "digits/length"},
        {"text": installation[0]["text"] + "-000000", "code": "digits/length"},
        {"text": "x" + installation[0]["text"], "code": "digits/symbol"},
        {"text": "\u0663" + installation[0]["text"][1:], "code": "digits/symbol"},
        {"text": groups("001" + shown[3:], 12), "code": "id/version"},
        {"text": groups("1" + shown, 12), "code": "id/range"},
        {"text": groups(shown[:11] + "101" + shown[14:], 12), "code": "key/kind"},
        {"text": groups(shown[:11] + "000" + shown[14:], 12), "code": "id/shape"},
        {"text": groups(shown + "0" * 48, 15), "code": "id/shape"},
    ]

    drawn = seed("nonce")[:16]
    given = "Kasse 17, Straße"

    def named(mode: str, key_seed: bytes) -> dict[str, str]:
        public = Ed25519PrivateKey.from_private_bytes(key_seed).public_key().public_bytes_raw()
        digest = sha(b"muster-cmid-v2", name, mode.encode(), public)
        return {
            "mode": mode,
            "seed": key_seed.hex(),
            "public": public.hex(),
            "cmid": uuid_of(digest[:16], 8),
        }

    cmids = [
        named("machine", seed("machine key")),
        named("node", seed("machine key")),
        named("device", scrypt(one_uuid(system_uuid).encode(), b"muster-device-v2", name)),
        named("explicit", scrypt(given.encode(), b"muster-explicit-v2", name)),
    ]
    return {
        "origin": "made by tests/vectors/make_identities.py, a second writing of"
        " docs/spec/01-identities.md that shares no code with muster;"
        " signatures from RFC 8032, section 7.1",
        "publishers": pubs,
        "product_keys": keys,
        "product_keys_refused": refused_keys(keys[1]["text"]),
        "cmids": {
            "publisher": pub["id"],
            "system_uuid": system_uuid,
            "given": given,
            "machines": cmids,
        },
        "proofs": proofs(pub["id"], cmids[0], b64(drawn)),
        "system_uuids": [
            {"text": text, "one": one_uuid(text)}
            for text in (
                system_uuid,
                swapped,
                "421f245c-7fa8-60fa-6af6-a46351ced0eb",
                "5c241f42-a87f-fa60-6af6-a46351ced0eb",
                "01020201-0303-0404-0506-0708090a0b0c",
            )
        ],
        "fingerprints": {
            "publisher": pub["id"],
            "facts": facts,
            "salt": salt.hex(),
            "commitments": fingerprint(salt, facts),
            "system_uuid": system_uuid,
            "other_byte_order": swapped,
            "device_salt": device_salt.hex(),
            "device_commitments": fingerprint(device_salt, facts),
            "many": many,
            "many_commitments": fingerprint(salt, many),
        },
        "matches": [pair(*one) for one in PAIRS],
        "bindings": bindings,
        "nonces": [{"drawn": drawn.hex(), "nonce": b64(drawn), "prefix": b64(drawn)[:8]}],
        "installation_ids": installation,
        "installation_ids_refused": refused_ids,
        "confirmation_ids": confirmation,
    }


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def proofs(publisher: str, machine: dict[str, str], before: str) -> list[dict[str, Any]]:
    """Requests and releases with right and wrong proofs; JCS is `sort_keys` for these members."""
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(machine["seed"]))
    request: dict[str, Any] = {
        "v": 1,
        "publisher": publisher,
        "product": "desktop-pro",
        "cmid": machine["cmid"],
        "key": b64(bytes.fromhex(machine["public"])),
        "nonce": b64(seed("next nonce")[:16]),
        "line": before[:8],
        "fingerprint": [],
        "identity": "machine",
        "state": 1,
        "sent_at": 1_790_000_000,
        "client": {"version": "0.1.0", "os": "Linux", "virtual": None},
    }
    release: dict[str, Any] = {
        "v": 1,
        "lease": "a.b.c",
        "grant": "d.e.f",
        "signer": {"crv": "Ed25519", "kty": "OKP", "x": b64(bytes.fromhex(machine["public"]))},
        "key": request["key"],
        "line": request["line"],
        "sent_at": request["sent_at"],
    }

    def jcs(value: dict[str, Any]) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def signed(word: str, message: dict[str, Any]) -> dict[str, Any]:
        data = word.encode() + b"\n" + jcs(message)
        return {**message, "proof": b64(key.sign(data))}

    good = signed("muster-request-v1", request)
    gave = signed("muster-release-v1", release)
    newer = signed("muster-request-v1", {**request, "news": {"b": [1], "a": "ä"}})
    met = signed("muster-request-v1", {**request, "challenge": b64(seed("challenge")[:16])})
    knows = signed("muster-request-v1", {**request, "trust": 3, "catalogue": 12})
    other = {**request, "cmid": machine["cmid"][:-1] + ("0" if machine["cmid"][-1] != "0" else "1")}
    cases = [
        ("request", "as it is", good, True),
        ("request", "with members that nobody knows", newer, True),
        ("request", "with a challenge", met, True),
        ("request", "with the versions that the machine knows", knows, True),
        ("request", "another version of the catalogue", {**knows, "catalogue": 13}, False),
        ("request", "the versions were taken out", {**request, "proof": knows["proof"]}, False),
        (
            "request",
            "the challenge of another host",
            {**met, "challenge": b64(seed("other")[:16])},
            False,
        ),
        (
            "request",
            "a challenge that was put in later",
            {**good, "challenge": met["challenge"]},
            False,
        ),
        ("request", "an unknown member was taken out", {**newer, "news": {}}, False),
        ("request", "another nonce", {**good, "nonce": "A" * 22}, False),
        ("request", "another licence state", {**good, "state": 2}, False),
        ("request", "another time", {**good, "sent_at": 1_790_000_001}, False),
        ("request", "another mode", {**good, "identity": "explicit"}, False),
        ("request", "a CMID that is not the key's", signed("muster-request-v1", other), False),
        ("request", "signed as a release", signed("muster-release-v1", request), False),
        ("request", "a proof of zeros", {**good, "proof": "A" * 86}, False),
        ("release", "as it is", gave, True),
        (
            "release",
            "with a challenge",
            signed("muster-release-v1", {**release, "challenge": met["challenge"]}),
            True,
        ),
        (
            "release",
            "another challenge",
            {
                **signed("muster-release-v1", {**release, "challenge": met["challenge"]}),
                "challenge": b64(seed("other challenge")[:16]),
            },
            False,
        ),
        ("release", "another lease", {**gave, "lease": "a.b.d"}, False),
        ("release", "signed as a request", signed("muster-request-v1", release), False),
    ]
    return [
        {"kind": kind, "what": what, "message": jcs(message).decode(), "good": good_}
        for kind, what, message, good_ in cases
    ]


def text() -> str:
    return json.dumps(build(), indent=1, ensure_ascii=True) + "\n"


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        same = FILE.exists() and FILE.read_text(encoding="ascii") == text()
        print(f"{FILE.name} is {'as the script makes it' if same else 'out of date'}")
        return 0 if same else 1
    FILE.write_text(text(), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
