"""licences.json: leases, activation grants and notices, good and bad, by the step that refuses."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from tests.vectors.make_identities import PAIRS, drawn
from tests.vectors.making import bounds
from tests.vectors.making.cases import (
    CMID,
    FACTS,
    GRANT,
    LEASE,
    NONCE,
    NOTICE,
    OTHER_CMID,
    OTHER_FACTS,
    SKEW,
    Cases,
    appended,
    bundle,
    dated,
    grant,
    lease_payload,
    loosened,
    mak,
    notice_bundle,
    notice_payload,
    raw_lease,
    resigned,
    signed,
)
from tests.vectors.making.signing import (
    DAY,
    JSON,
    b64,
    grant_payload,
    header,
    host_binding,
    instant,
    jcs,
    token,
    unb64,
    without_none,
)
from tests.vectors.making.worlds import (
    BINDING,
    CATALOGUE_A,
    CONTOSO,
    DESKTOP,
    ENTERPRISE,
    EVALUATION_KEY,
    FABRIKAM,
    FABRIKAM_GRANT,
    GRANT_0,
    GRANT_1,
    GRANT_DAY,
    HARDWARE,
    HOST,
    HOST_KEY,
    LEASED,
    MAK_KEY,
    NOW,
    OFFICE,
    OTHER_BINDING,
    OTHER_HOST,
    RETAIL_KEY,
    RETIRED_ON,
    REVOKED_ON,
    SHORT,
    STRANGER,
    THIEF,
    WORKING,
    WORLDS,
)

YEAR_2040, YEAR_9999 = 2_208_988_800, 253_370_764_800
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the Ed25519 base point."""

# Raw JSON values of an unknown claim. The first group reads without strictness, the second is
# no JSON at all.
LOOSE_VALUES = {
    "fraction": "1.0",
    "exponent": "1e3",
    "negative": "-1",
    "minus-zero": "-0",
    "two-to-the-53": "9007199254740992",
    "huge-number": "1" + "0" * 300,
    "nan": "NaN",
    "infinity": "-Infinity",
    "high-surrogate": r'"\ud83d"',
    "low-surrogate": r'"\udc00"',
    "surrogates-in-wrong-order": r'"\udc00\ud83d"',
    "surrogate-before-text": r'"\ud83dx"',
    "surrogate-in-name": r'{"\ud83d":1}',
    "seventeen-items": "[" + ",".join("0" for _ in range(17)) + "]",
    "five-levels": "[[[[1]]]]",
    "duplicate-in-array": '[{"a":1,"a":1}]',
    "sixty-five-members": "{" + ",".join(f'"m{n}":0' for n in range(50)) + "}",
    "too-long": '"' + "x" * 8000 + '"',
    "depth-bomb": "[" * 400 + "]" * 400,
}
NO_JSON = {
    "leading-zero": "01",
    "plus": "+1",
    "hexadecimal": "0x10",
    "arabic-digits": "1١",
    "bare-word": "yes",
    "capital-true": "True",
    "single-quotes": "'a'",
    "trailing-comma-in-array": "[1,]",
    "trailing-comma-in-object": '{"a":1,}',
    "comment": "1/*one*/",
    "missing-value": "",
    "unknown-escape": r'"\x41"',
    "short-escape": r'"\u12"',
    "bad-escape": r'"\u12G4"',
    "control-character": '"a\x01b"',
    "line-end-in-string": '"a\nb"',
    "no-break-space": "\u00a01",
    "unclosed-depth-bomb": "[" * 5000,
    "name-without-quotes": "{a:1}",
    "name-that-is-a-number": "{1:1}",
    "missing-colon": '{"a" 1}',
    "missing-comma": "[1 2]",
}


def _good_leases(c: Cases) -> None:
    c.lease("good lease from the store")
    c.lease("good fresh answer", dated(NOW - 60), expected={"fresh": True})
    c.lease("good lease, alg Ed25519", head={"alg": "Ed25519"})
    c.lease("good grant, alg Ed25519", granted=grant(head={"alg": "Ed25519"}))
    c.lease(
        "good answer of a host: other members of the bundle are ignored",
        members={"count": 27, "need": 25, "trust": 1, "catalogue": 1, "__proto__": {"v": 2}},
    )
    c.lease(
        "good lease with unknown claims",
        {"scope": "none", "__proto__": {"exp": 1}, "constructor": None, "x": [True, {"y": "ü"}]},
        {"hint": "unknown information", "hasOwnProperty": 1},
    )
    c.lease("good grant with unknown claims", granted=grant(claims={"note": 1}, muster={"n": []}))
    c.lease("good lease, EXP beside exp says nothing", {"EXP": 1, "Exp": 1, "Sub": OTHER_CMID})
    text = jcs(lease_payload())
    c.add("good lease that is not canonical JSON", bundle(raw_lease(_spread(lease_payload()))))
    escaped = text.replace('"exp"', r'"e\u0078p"').replace('"sub"', r'"\u0073\u0075b"')
    c.add("good lease with escaped member names", bundle(raw_lease(escaped)))
    c.add(
        "good lease with a surrogate pair",
        bundle(raw_lease(appended(lease_payload(), r'"x":"\ud83d\ude00 \u0000 \"\\\/\b"'))),
    )
    head = json.dumps(dict(reversed(header(LEASE, HOST.kid).items())), indent=2)
    c.add("good lease whose header is not canonical JSON", bundle(raw_lease(text, head)))
    c.add("good bundle that is not canonical JSON", _spread_text(bundle(raw_lease(text))))
    c.add("good bundle of exactly 16384 bytes", _padded(bundle(raw_lease(text)), 16384))
    c.add("good lease of exactly 8192 bytes", bundle(raw_lease(_padded(text, 8192))))
    c.add(
        "good lease with 64 members",
        bundle(raw_lease(appended(lease_payload(), ",".join(f'"m{n}":0' for n in range(45))))),
    )
    c.add(
        "good lease with 16 items and 4 levels",
        bundle(
            raw_lease(appended(lease_payload(), f'"x":[{"0," * 15}[[1]]],"y":9007199254740991'))
        ),
    )
    for mode in ("device", "node"):
        c.lease(
            f"good lease, identity {mode}", None, {"identity": mode}, expected={"identity": mode}
        )
    c.lease(
        "good lease, identity explicit without facts",
        None,
        {"identity": "explicit", "fingerprint": []},
        world="explicit",
        expected={"identity": "explicit", "fingerprint": []},
    )
    c.lease("good lease without a catalogue", world="no-catalogue")
    c.lease("good lease under a name that is not ASCII", world="non-ascii")
    c.lease(
        "good lease of the second product",
        {"aud": f"{CONTOSO}/office-2010.standard"},
        {"group": "office-2010", "count": 5, "need": 5},
        granted=grant(key_id="0-20-9", group=OFFICE),
        world="office",
    )
    c.lease(
        "good lease by a host of a higher group",
        granted=grant(key_id="0-9-77", group=ENTERPRISE),
    )
    # Trust that moved on.
    for world in ("rotated", "reserve-jumps", "pinned-higher"):
        if world != "pinned-higher":
            c.lease(f"good lease under trust {world}, key retired later", world=world)
        c.lease(
            f"good lease under trust {world}, new key",
            granted=grant(signer=GRANT_1, day=315),
            world=world,
        )
    c.lease(
        "good grant signed on the last day of its key",
        granted=grant(day=RETIRED_ON),
        world="rotated",
    )
    c.lease("good lease under new roots", world="new-roots")
    c.lease("good lease under a catalogue of a retired key", world="retired-catalogue")
    c.lease(
        "good lease after a withdrawal, new key",
        granted=grant(signer=GRANT_1, day=315),
        world="withdrawn",
    )
    # Every bound at its last good value.
    c.lease("good lease as old as its grant less a day", dated(instant(GRANT_DAY - 1)))
    c.lease(
        "good lease that ends with its grant",
        dated(LEASED, instant(GRANT_DAY + 90)),
        granted=grant(term=3),
    )
    c.lease(
        "good lease as long as a short group allows",
        dated(LEASED, LEASED + 30 * DAY),
        granted=grant(key_id="0-11-5", group=SHORT),
    )
    for name, at in (("ahead", NOW + SKEW), ("behind", NOW - SKEW)):
        c.lease(f"good fresh answer four hours {name}", dated(at), expected={"fresh": True})
    c.lease("good stored lease four hours ahead", dated(NOW + SKEW))
    c.lease("good lease at a clock four hours behind its mark", expected={"clock_mark": NOW + SKEW})
    c.lease("good lease in its last second", expected={"now": LEASED + 180 * DAY - 1})
    c.lease("good lease at exactly the need", None, {"count": 25})
    c.lease("good lease whatever need the host claims", None, {"need": 9999})
    for span in (1, 2**31 - 1):
        c.lease(
            f"good lease with spans of {span}", None, {"renew_after": span, "retry_after": span}
        )
    c.lease("good lease with no memory of the clock", expected={"clock_mark": 0})
    for stored, now, same in PAIRS:
        if same:
            _match(c, stored, now)
    # Revocations that do not bite, or not yet.
    c.lease("good lease of a host revoked later", world="revoked-host")
    c.lease("good lease of a host key revoked later", world="revoked-host-key")
    c.lease(
        "good lease in its last second after a revocation",
        world="revoked-host",
        expected={"now": instant(REVOKED_ON + 30) - 1},
    )
    c.lease(
        "good lease made as its revocation began",
        dated(instant(REVOKED_ON)),
        world="revoked-host",
    )
    c.lease("good lease though a MAK is revoked", world="revoked-mak")
    c.lease("good lease of a product revoked later", world="revoked-product")
    c.lease(
        "good lease in its last second after a revocation of its product",
        world="revoked-product",
        expected={"now": instant(REVOKED_ON + 30) - 1},
    )
    c.lease("good lease though another product is revoked", world="revoked-other-product")
    c.lease("good lease of a product without setup key", world="revoked-product-without-setup-key")


def _match(c: Cases, stored: str, now: str, **case: Any) -> None:
    """A lease for one fingerprint on a machine that has another one."""
    c.lease(
        f"{'' if case else 'good '}fingerprint, {stored} against {now or 'nothing'}",
        None,
        {"fingerprint": drawn(stored)},
        expected={"fingerprint": drawn(now)},
        **case,
    )


def _spread(payload: JSON) -> str:
    """The same values in another order, with white space everywhere."""
    return "\r\n\t " + json.dumps(dict(reversed(payload.items())), indent=3) + " \n"


def _spread_text(text: str) -> str:
    return _spread(json.loads(text))


def _padded(text: str, size: int) -> str:
    """The JSON text made exactly `size` bytes long by an unknown member."""
    rest = size - len(text.encode()) - len(',"pad":""')
    return f'{text[:-1]},"pad":"{"p" * rest}"}}'


def _step_1(c: Cases) -> None:
    text = jcs(lease_payload())
    good = bundle(raw_lease(text))

    def refused(
        name: str, data: str | bytes, *, alone: bool = False, code: str | None = None
    ) -> None:
        c.add(name, data, step=1, alone=alone, code=code)

    for name, value in LOOSE_VALUES.items():
        refused(
            f"lease with {name}",
            bundle(raw_lease(appended(lease_payload(), f'"x":{value}'))),
            alone=True,
        )
    for name, value in NO_JSON.items():
        refused(f"lease with {name}", bundle(raw_lease(appended(lease_payload(), f'"x":{value}'))))
    for name, value in {
        "fraction": "1.5",
        "negative": "-1",
        "two-to-the-53": "9007199254740992",
        "five-levels": "[[[[1]]]]",
        "seventeen-items": "[" + ",".join("0" for _ in range(17)) + "]",
        "lone-surrogate": r'"\ud83d"',
    }.items():
        refused(f"bundle with {name}", f'{good[:-1]},"x":{value}}}', alone=True)
        refused(
            f"grant with {name}",
            bundle(raw_lease(text), _grant_over(appended(_host_payload(), f'"x":{value}'))),
            alone=True,
        )
    # Duplicate names; the last one, which most libraries take, is the good one.
    duplicates = {
        "at the top": f'{{"exp":{YEAR_9999},{text[1:]}',
        "at the top, escaped": f'{{"e\\u0078p":{YEAR_9999},{text[1:]}',
        "at the top, equal values": f'{{"exp":{LEASED + 180 * DAY},{text[1:]}',
        "nested": text.replace('"muster":{', '"muster":{"count":1,'),
        "nested, escaped": text.replace('"muster":{', r'"muster":{"coun\u0074":1,'),
        "of objects": text.replace('"muster":{', '"muster":{"v":2},"muster":{'),
    }
    for name, payload in duplicates.items():
        refused(f"lease with a duplicate member {name}", bundle(raw_lease(payload)), alone=True)
    top = jcs(header(LEASE, HOST.kid))
    for name, head in {
        "alg": f'{{"alg":"none",{top[1:]}',
        "alg, escaped": f'{{"\\u0061lg":"none",{top[1:]}',
        "kid": f'{{"kid":"{STRANGER.kid}",{top[1:]}',
    }.items():
        refused(f"lease header with a duplicate {name}", bundle(raw_lease(text, head)), alone=True)
    for name, head in {"before": f" {top}", "after": f"{top}\n"}.items():
        refused(
            f"lease with white space {name} its header", bundle(raw_lease(text, head)), alone=True
        )
    refused("bundle with a duplicate lease", f'{{"lease":"a.b.c",{good[1:]}', alone=True)
    refused("bundle with a duplicate lease, escaped", f'{{"le\\u0061se":"",{good[1:]}', alone=True)
    refused(
        "signer with a duplicate member",
        good.replace('"signer":{', '"signer":{"x":"",'),
        alone=True,
    )
    # Bytes.
    refused("bundle with a byte order mark", b"\xef\xbb\xbf" + good.encode(), alone=True)
    refused("lease with a byte order mark", bundle(raw_lease("\ufeff" + text)), alone=True)
    refused("header with a byte order mark", bundle(raw_lease(text, "\ufeff" + top)), alone=True)
    refused("bundle in UTF-16", good.encode("utf-16"))
    spoilt = appended(lease_payload(), '"x":"@"').encode()
    for name, raw in {
        "a byte that is not UTF-8": b"\xff",
        "an overlong encoding": b"\xc0\x80",
        "an encoded surrogate": b"\xed\xa0\xbd",
        "a code point above the last": b"\xf4\x90\x80\x80",
        "a cut character": b"\xe2\x82",
    }.items():
        refused(f"lease with {name}", bundle(raw_lease(spoilt.replace(b"@", raw))), alone=True)
    refused(
        "bundle with a byte that is not UTF-8", good[:-1].encode() + b',"x":"\xff"}', alone=True
    )
    # Base64url.
    main = raw_lease(text)
    odd_head = next(part for part in (f"{{{' ' * n}{top[1:]}" for n in range(3)) if len(part) % 3)
    odd_payload = next(part for part in (f"{text}{' ' * n}" for n in range(3)) if len(part) % 3)
    first, second, third = raw_lease(odd_payload, odd_head).split(".")
    loose = {
        "header with unused bits": resigned(main, HOST, head=loosened(first)),
        "payload with unused bits": resigned(main, HOST, payload=loosened(second)),
        "signature with unused bits": f"{first}.{second}.{loosened(third)}",
        "signature with padding": f"{main}==",
        "payload with padding": resigned(main, HOST, payload=_padding(second)),
        "payload with a line end": resigned(main, HOST, payload=f"{second[:20]}\n{second[20:]}"),
        "payload with a space": resigned(main, HOST, payload=f"{second[:20]} {second[20:]}"),
        "signature with a line end": f"{main}\n",
        "signature with a foreign character": f"{main[:-4]}!{main[-4:]}",
    }
    for name, lease in loose.items():
        refused(f"lease, {name}", bundle(lease), alone=True)
    plain = appended(lease_payload(), '"x":"???>>>~~~"')
    standard = b64(plain.encode()).replace("-", "+").replace("_", "/")
    if "+" not in standard and "/" not in standard:
        raise ValueError("nothing to write in the other alphabet")
    refused(
        "lease, payload in base64 of the other alphabet",
        bundle(resigned(main, HOST, payload=standard)),
    )
    refused("lease, signature of one symbol too many", bundle(f"{main}AAA"))
    refused("lease, signature cut by one symbol", bundle(main[:-1]))
    refused("lease, signature cut to 63 bytes", bundle(main[:-2]))
    refused("lease, signature of 65 bytes", bundle(f"{first}.{second}.{b64(unb64(third) + b'0')}"))
    refused("lease, alg none without a signature", bundle(_unsigned()))
    refused("lease of two parts", bundle(f"{first}.{second}"))
    refused("lease of four parts", bundle(f"{main}.{third}"))
    refused("lease of five parts", bundle(f"{main}..{third}"))
    refused("lease with an empty payload", bundle(f"{first}..{third}"))
    refused("lease without a text", bundle(""))
    refused("lease whose payload is detached and empty JSON", bundle(f"{first}.{b64(b'')}.{third}"))
    refused("lease whose payload is an array", bundle(raw_lease(f"[{text}]")))
    refused("lease whose payload is a text", bundle(raw_lease('"lease"')))
    refused("lease whose payload is null", bundle(raw_lease("null")))
    refused("lease with text after the object", bundle(raw_lease(f"{text}x")))
    refused("lease with two objects", bundle(raw_lease(f"{text}{text}")))
    refused("lease with a zero byte at the end", bundle(raw_lease(f"{text}\0")))
    refused("lease with a form feed between members", bundle(raw_lease("{\f" + text[1:])))
    refused("lease whose header is an array", bundle(raw_lease(text, f"[{top}]")))
    refused("lease, payload of 8193 bytes", bundle(raw_lease(_padded(text, 8193))), alone=True)
    refused("lease, header above 8192 bytes", bundle(raw_lease(text, _padded(top, 8200))))
    for size in (200, len(text) // 2, len(text) - 1):
        refused(f"lease, payload cut after {size} bytes", bundle(raw_lease(text[:size])))
    for size in (1, 20, len(good) // 2, len(good) - 1):
        refused(f"bundle cut after {size} bytes", good[:size])
    # The bundle's shape.
    refused("bundle of 16385 bytes", _padded(good, 16385), alone=True)
    refused("bundle with a depth bomb", '{"x":' + "[" * 16000)
    for name, value in {
        "nothing": "",
        "null": "null",
        "an array": f"[{good}]",
        "a number": "0",
        "a text": jcs(main),
        "the lease alone": main,
        "an empty object": "{}",
    }.items():
        refused(f"{name} in place of a bundle", value)
    for member in ("v", "lease", "grant", "signer"):
        gone: JSON = {member: None}
        array: JSON = {member: []}
        refused(f"bundle without {member}", bundle(main, None, **gone))
        refused(f"bundle whose {member} is an array", bundle(main, None, **array))
    refused(
        "bundle in capital letters",
        good.replace('"lease"', '"LEASE"').replace('"grant"', '"Grant"'),
    )
    refused("bundle of a higher v", bundle(main, v=2), code="licence/version")
    refused("bundle of v 0", bundle(main, v=0))
    x = HOST.jwk["x"]
    for name, jwk in {
        "with an extra member": {**HOST.jwk, "kid": HOST.kid},
        "with a private half": {**HOST.jwk, "d": x},
        "without crv": {"kty": "OKP", "x": x},
        "on another curve": {**HOST.jwk, "crv": "X25519"},
        "of another type": {**HOST.jwk, "kty": "EC"},
        "of 31 bytes": {**HOST.jwk, "x": b64(HOST.public[:31])},
        "of 33 bytes": {**HOST.jwk, "x": b64(HOST.public + b"0")},
        "with unused bits": {**HOST.jwk, "x": loosened(x)},
        "with padding": {**HOST.jwk, "x": f"{x}="},
        "with a number": {**HOST.jwk, "x": 1},
    }.items():
        refused(f"signer {name}", bundle(main, signer=jwk))


def _padding(part: str) -> str:
    return part + "=" * (-len(part) % 4)


def _unsigned() -> str:
    head = jcs(header(LEASE, HOST.kid, alg="none"))
    return f"{b64(head.encode())}.{b64(jcs(lease_payload()).encode())}."


def _host_payload() -> JSON:
    binding = host_binding(CONTOSO, HOST_KEY, HOST)
    return grant_payload(
        "host", CONTOSO, HOST_KEY, binding, DESKTOP, hw=HARDWARE, term=0, day=GRANT_DAY
    )


def _grant_over(payload: str, head: str | None = None) -> str:
    from tests.vectors.making.signing import compact

    return compact(head or jcs(header(GRANT, GRANT_0.kid)), payload, GRANT_0)


def _with_signature(text: str, signature: bytes) -> str:
    return f"{text.rpartition('.')[0]}.{b64(signature)}"


HEADERS: dict[str, JSON] = {
    "crit": {"crit": ["exp"]},
    "b64": {"b64": False, "crit": ["b64"]},
    "jwk": {"jwk": HOST.jwk},
    "jku": {"jku": "keys.json"},
    "x5c": {"x5c": []},
    "cty": {"cty": "JWT"},
    "an unknown member": {"muster": 1},
    "ALG beside alg": {"ALG": "EdDSA"},
}
ALGORITHMS = (
    "none",
    "None",
    "HS256",
    "HS512",
    "ES256",
    "RS256",
    "Ed448",
    "ed25519",
    "eddsa",
    "EDDSA",
    "",
)


def _step_2(c: Cases, kind: str) -> None:
    """Header rules of leases and notices, and of the grants beside them."""
    case = getattr(c, kind)
    typ = LEASE if kind == "lease" else NOTICE
    for name, head in HEADERS.items():
        case(f"{kind} header with {name}", head=head, step=2, alone=True)
        case(f"{kind}, grant header with {name}", granted=grant(head=head), step=2, alone=True)
    for alg in ALGORITHMS:
        case(f"{kind}, alg {alg!r}", head={"alg": alg}, step=2, alone=True)
        case(f"{kind}, grant alg {alg!r}", granted=grant(head={"alg": alg}), step=2, alone=True)
    payload = lease_payload() if kind == "lease" else notice_payload()
    make = bundle if kind == "lease" else notice_bundle
    for alg, digest in (("HS512", hashlib.sha512),):
        text = signed(typ, payload, HOST, {"alg": alg})
        data = text.rpartition(".")[0].encode()
        forged = _with_signature(text, hmac.digest(HOST.public, data, digest))
        c.add(f"{kind}, {alg} with the public key as secret", make(forged), kind=kind, step=2)
    for name, values in {
        "alg an array": {"alg": ["EdDSA"]},
        "alg null": {"alg": None},
        "kid a number": {"kid": 1},
        "kid cut": {"kid": HOST.kid[:42]},
        "kid of another hash": {"kid": f"{HOST.kid}AA"},
        "typ null": {"typ": None},
    }.items():
        case(f"{kind} header, {name}", head=values, step=2)
    for member in ("alg", "kid", "typ"):
        head = without_none({**header(typ, HOST.kid), member: None})
        text = raw_lease(jcs(payload), jcs(head))
        c.add(
            f"{kind} header without {member}", make(text), kind=kind, step=2, alone=member == "alg"
        )
    c.add(f"{kind} header that is empty", make(raw_lease(jcs(payload), "{}")), kind=kind, step=2)
    for wrong in (
        GRANT,
        NOTICE if kind == "lease" else LEASE,
        "JWT",
        typ.upper(),
        f"application/{typ}",
        f"{typ} ",
        "",
    ):
        case(f"{kind}, typ {wrong!r}", head={"typ": wrong}, step=2, alone=True)


def _step_3(c: Cases, kind: str) -> None:
    """The host's grant of leases and notices."""
    case = getattr(c, kind)
    case(f"{kind}, grant by a stranger", granted=grant(signer=STRANGER), step=3, alone=True)
    case(f"{kind}, grant by a catalogue key", granted=grant(signer=CATALOGUE_A), step=3, alone=True)
    case(f"{kind}, grant by the root", granted=grant(signer=WORKING), step=3, alone=True)
    case(f"{kind}, grant by the host itself", granted=grant(signer=HOST), step=3, alone=True)
    case(
        f"{kind}, grant by a stranger under the good kid",
        granted=grant(signer=STRANGER, head={"kid": GRANT_0.kid}),
        step=3,
        alone=True,
    )
    case(
        f"{kind}, grant by a later key that this trust does not know",
        granted=grant(signer=GRANT_1),
        step=3,
        alone=True,
    )
    good = grant()
    other = grant(term=12)
    mixed = f"{other.rpartition('.')[0]}.{good.rpartition('.')[2]}"
    case(f"{kind}, grant with the signature of another", granted=mixed, step=3, alone=True)
    case(
        f"{kind}, grant of a typ of its own",
        granted=grant(head={"typ": "JWT"}),
        step=3,
        alone=True,
    )
    case(
        f"{kind}, grant with the typ of a lease",
        granted=grant(head={"typ": LEASE}),
        step=3,
        alone=True,
    )
    case(
        f"{kind}, grant signed the day after its key was retired",
        granted=grant(day=RETIRED_ON + 1),
        world="rotated",
        step=3,
        alone=True,
    )
    case(f"{kind}, grant by a withdrawn key", world="withdrawn", step=3, alone=True)
    case(
        f"{kind}, grant by a withdrawn key, pinned later", world="pinned-higher", step=3, alone=True
    )
    for other_kind, key_id in (("mak", MAK_KEY), ("evaluation", EVALUATION_KEY)):
        case(
            f"{kind}, grant of kind {other_kind}",
            granted=mak(key_id, kind=other_kind, binding=host_binding(CONTOSO, key_id, HOST)),
            step=3,
        )
    case(f"{kind}, grant of an unknown kind", granted=grant(muster={"kind": "robot"}), step=3)
    case(f"{kind}, grant of no kind", granted=grant(muster={"kind": None}), step=3)
    case(f"{kind}, grant without iat", granted=grant(claims={"iat": None}), step=3)
    case(f"{kind}, grant whose muster is a text", granted=grant(claims={"muster": "v1"}), step=3)
    case(
        f"{kind}, grant of another publisher by its own key",
        granted=grant(publisher=FABRIKAM, signer=FABRIKAM_GRANT),
        step=3,
    )
    case(
        f"{kind}, grant in the name of another publisher",
        granted=grant(claims={"iss": FABRIKAM}),
        step=3,
    )
    case(f"{kind} of another publisher's world", world="fabrikam", step=3)


def _step_4(c: Cases, kind: str) -> None:
    """Who signed leases and notices."""
    case = getattr(c, kind)
    typ = LEASE if kind == "lease" else NOTICE
    payload = lease_payload if kind == "lease" else notice_payload
    make = bundle if kind == "lease" else notice_bundle
    stranger = {"iss": STRANGER.kid}
    case(
        f"{kind} signed again by a stranger",
        stranger,
        key=STRANGER,
        members={"signer": STRANGER.jwk},
        step=4,
        alone=True,
    )
    case(
        f"{kind} signed again by a stranger in the host's name",
        key=STRANGER,
        head={"kid": HOST.kid},
        step=4,
        alone=True,
    )
    case(f"{kind} by a stranger, the host as signer", stranger, key=STRANGER, step=4, alone=True)
    case(f"{kind}, signer is a stranger", members={"signer": STRANGER.jwk}, step=4, alone=True)
    case(f"{kind}, signer is a grant key", members={"signer": GRANT_0.jwk}, step=4, alone=True)
    case(
        f"{kind} of another host",
        {"iss": OTHER_HOST.kid},
        key=OTHER_HOST,
        members={"signer": OTHER_HOST.jwk},
        step=4,
        alone=True,
    )
    case(f"{kind}, grant of another host", granted=grant(host=OTHER_HOST), step=4, alone=True)
    case(
        f"{kind}, grant whose key was changed after binding",
        granted=grant(muster={"key": "0-7-1234568"}),
        step=4,
        alone=True,
    )
    case(f"{kind}, grant bound to nothing", granted=grant(binding="0" * 25), step=4, alone=True)
    case(
        f"{kind}, grant bound to another machine",
        granted=grant(binding=BINDING),
        step=4,
        alone=True,
    )
    case(f"{kind}, iss is the publisher", {"iss": CONTOSO}, step=4)
    case(f"{kind}, iss is another key", stranger, step=4, alone=True)
    case(f"{kind} without iss", {"iss": None}, step=4)
    case(f"{kind}, kid is another key", head={"kid": STRANGER.kid}, step=4, alone=True)
    case(f"{kind}, grant without key", granted=grant(muster={"key": None}), step=4)
    case(
        f"{kind}, grant whose key is out of range",
        granted=grant(muster={"key": "0-1024-1"}),
        step=4,
    )
    case(f"{kind}, grant whose key is no key id", granted=grant(muster={"key": "0-07-1"}), step=4)
    case(f"{kind}, grant without binding", granted=grant(muster={"binding": None}), step=4)
    text = signed(typ, payload())
    raw = unb64(text.rpartition(".")[2])
    larger = int.from_bytes(raw[32:], "little") + ORDER
    signatures = {
        "all zero": bytes(64),
        "with S above the order": raw[:32] + larger.to_bytes(32, "little"),
        "with a changed bit": bytes([raw[0] ^ 1]) + raw[1:],
        "with R and S swapped": raw[32:] + raw[:32],
    }
    for name, signature in signatures.items():
        c.add(
            f"{kind}, signature {name}",
            make(_with_signature(text, signature)),
            kind=kind,
            step=4,
            alone=True,
        )
    changed_text = signed(typ, payload({"jti": token("another")}))
    mixed = f"{changed_text.rpartition('.')[0]}.{text.rpartition('.')[2]}"
    c.add(f"{kind} changed after signing", make(mixed), kind=kind, step=4, alone=True)


def _versions(c: Cases, kind: str, step: int) -> None:
    """A higher `v`, in each object."""
    case = getattr(c, kind)
    case(f"{kind} of a higher v", None, {"v": 2}, step=step, code="licence/version", alone=True)
    case(f"{kind} of a much higher v", None, {"v": 2**53 - 1}, step=step, code="licence/version")
    for name, value in {"0": 0, "a text": "1", "true": True, "missing": None}.items():
        case(f"{kind}, v {name}", None, {"v": value}, step=step)
    case(
        f"{kind}, grant of a higher v",
        granted=grant(muster={"v": 2}),
        step=step,
        code="licence/version",
        alone=True,
    )


def _step_5(c: Cases) -> None:
    _versions(c, "lease", 5)
    payload = lease_payload()
    for name in payload:
        if name in ("iss", "muster"):
            continue
        c.lease(f"lease without {name}", {name: None}, step=5)
        c.lease(f"lease, {name} of another type", {name: [payload[name]]}, step=5)
    for name in payload["muster"]:
        if name == "v":
            continue
        c.lease(f"lease without muster.{name}", None, {name: None}, step=5)
        c.lease(f"lease, muster.{name} of another type", None, {name: {"is": 1}}, step=5)
    wrong: dict[str, tuple[JSON, JSON]] = {
        "sub in capitals": ({"sub": CMID.upper()}, {}),
        "sub in braces": ({"sub": f"{{{CMID}}}"}, {}),
        "sub with a line end": ({"sub": f"{CMID}\n"}, {}),
        "aud an array": ({"aud": [f"{CONTOSO}/desktop-7.professional"]}, {}),
        "aud without a product": ({"aud": CONTOSO}, {}),
        "aud with two products": ({"aud": f"{CONTOSO}/a/b"}, {}),
        "exp a text": ({"exp": str(LEASED + DAY)}, {}),
        "exp true": ({"exp": True}, {}),
        "jti of 21 symbols": ({"jti": token("lease")[:21]}, {}),
        "jti with unused bits": ({"jti": loosened(token("lease"))}, {}),
        "nonce with quotes and braces": ({}, {"nonce": '"}{"lease":"x"}{{7*7}}'}),
        "nonce of 23 symbols": ({}, {"nonce": f"{NONCE}A"}),
        "identity of another mode": ({}, {"identity": "bearer"}),
        "group in capitals": ({}, {"group": "DESKTOP-7"}),
        "group with a slash": ({}, {"group": "desktop-7/x"}),
        "count a text": ({}, {"count": "27"}),
        "count false": ({}, {"count": False}),
        "fingerprint not sorted": ({}, {"fingerprint": FACTS[::-1]}),
        "fingerprint with a repeated fact": ({}, {"fingerprint": [*FACTS, FACTS[4]]}),
        "fingerprint in capitals": ({}, {"fingerprint": [drawn("u171")[0].upper()]}),
        "fingerprint with a capital letter": ({}, {"fingerprint": ["U" + FACTS[-1][1:]]}),
        "fingerprint of 15 digits": ({}, {"fingerprint": [FACTS[0][:16]]}),
        "fingerprint without a letter": ({}, {"fingerprint": [FACTS[0][1:]]}),
        "fingerprint with a digit for a letter": ({}, {"fingerprint": ["0" + FACTS[0][1:]]}),
        "fingerprint of 17 digits": ({}, {"fingerprint": [FACTS[0] + "0"]}),
        "fingerprint of numbers": ({}, {"fingerprint": [1, 2, 3]}),
        "fingerprint of one text": ({}, {"fingerprint": FACTS[0]}),
    }
    for name, (claims, muster) in wrong.items():
        c.lease(f"lease, {name}", claims, muster, step=5)
    for member in ("renew_after", "retry_after"):
        for span in (0, 2**31):
            c.lease(f"lease, {member} of {span}", None, {member: span}, step=5, alone=True)
    for name, value in {
        "quotes": '"}{"v":1,"x":"',
        "braces": "{{7*7}}",
        "a line end": "\n",
    }.items():
        for member in ("sub", "aud", "jti"):
            whole = f"{payload[member]}{value}"
            c.lease(f"lease with {name} in {member}", {member: whole}, step=5)
        for member in ("group", "identity", "nonce"):
            whole = f"{payload['muster'][member]}{value}"
            c.lease(f"lease with {name} in muster.{member}", None, {member: whole}, step=5)
        c.lease(
            f"lease with {name} in a fact", None, {"fingerprint": [f"{FACTS[0]}{value}"]}, step=5
        )
    c.lease("lease with EXP in place of exp", {"exp": None, "EXP": LEASED + 180 * DAY}, step=5)
    c.lease("lease with NBF in place of nbf", {"nbf": None, "NBF": LEASED}, step=5)
    c.lease("lease with a Cyrillic letter in exp", {"exp": None, "еxp": LEASED + 180 * DAY}, step=5)
    c.lease("lease, muster.Count in place of count", None, {"count": None, "Count": 27}, step=5)
    _grant_claims(c, "lease", 5)


def _grant_claims(c: Cases, kind: str, step: int) -> None:
    """Claims of grants that no earlier step needs."""
    wrong: dict[str, tuple[JSON, JSON]] = {
        "without aud": ({"aud": None}, {}),
        "whose aud is of another publisher": ({"aud": f"{FABRIKAM}/desktop-7"}, {}),
        "whose aud is no text": ({"aud": 7}, {}),
        "without jti": ({"jti": None}, {}),
        "whose jti is cut": ({"jti": "AAAA"}, {}),
        "whose exp is a text": ({"exp": "never"}, {}),
        "without v": ({}, {"v": None}),
        "without covers": ({}, {"covers": None}),
        "whose covers are not sorted": ({}, {"covers": ["desktop-8", "desktop-7"]}),
        "whose covers repeat": ({}, {"covers": ["desktop-7", "desktop-7"]}),
        "that covers nothing": ({}, {"covers": []}),
        "whose covers are a text": ({}, {"covers": "desktop-7"}),
    }
    hosts: dict[str, tuple[JSON, JSON]] = {
        "without hw": ({}, {"hw": None}),
        "whose hw is in capitals": ({}, {"hw": HARDWARE.upper()}),
        "without max_lease": ({}, {"max_lease": None}),
        "whose max_lease is a text": ({}, {"max_lease": "180"}),
    }
    machines: dict[str, tuple[JSON, JSON]] = {
        "with hw": ({}, {"hw": HARDWARE}),
        "with max_lease": ({}, {"max_lease": DAY}),
        "without key": ({}, {"key": None}),
        "of a key of another kind": ({}, {"key": "4-7-7654321"}),
        "of a host key": ({}, {"key": "0-7-7654321"}),
        "without binding": ({}, {"binding": None}),
        "whose binding is in capitals": ({}, {"binding": BINDING.upper()}),
        "whose binding has 24 digits": ({}, {"binding": BINDING[:24]}),
    }
    if kind == "activation":
        for name, (claims, muster) in {**wrong, **machines}.items():
            c.activation(f"grant {name}", mak(claims=claims, muster=muster), step=step)
        return
    case = getattr(c, kind)
    for name, (claims, muster) in {**wrong, **hosts}.items():
        case(f"{kind}, grant {name}", granted=grant(claims=claims, muster=muster), step=step)


def _step_6(c: Cases, kind: str) -> None:
    case = getattr(c, kind)
    for name, aud in {
        "another product": f"{CONTOSO}/office-2010.standard",
        "a longer product": f"{CONTOSO}/desktop-7.professional.n",
        "another publisher": f"{FABRIKAM}/desktop-7.professional",
    }.items():
        case(f"{kind} for {name}", {"aud": aud}, step=6, alone=True)
    case(
        f"{kind} by a host whose grant does not cover the group",
        granted=grant(key_id="0-20-9", group=OFFICE),
        step=6,
        alone=True,
    )
    if kind == "lease":
        c.lease("lease for another group", None, {"group": "office-2010"}, step=6, alone=True)
        c.lease(
            "lease for a group that covers the product's",
            None,
            {"group": "desktop-7-enterprise"},
            granted=grant(key_id="0-9-77", group=ENTERPRISE),
            step=6,
            alone=True,
        )
        c.lease("lease judged by the descriptor of another product", world="office", step=6)


def _step_7(c: Cases, kind: str) -> None:
    case = getattr(c, kind)
    case(f"{kind} of another machine", {"sub": OTHER_CMID}, step=7, alone=True)
    case(f"{kind} for another request", None, {"nonce": token("another")}, step=7, alone=True)
    case(f"{kind} on a machine that waits for nothing", expected={"nonce": ""}, step=7, alone=True)
    if kind == "lease":
        for mode in ("device", "node", "explicit"):
            c.lease(
                f"lease of mode {mode} on a machine", None, {"identity": mode}, step=7, alone=True
            )
        c.lease(
            "lease of mode explicit without facts on a machine",
            None,
            {"identity": "explicit", "fingerprint": []},
            step=7,
        )
        c.lease(
            "lease of mode explicit without facts, which the product does not allow",
            None,
            {"identity": "explicit", "fingerprint": []},
            expected={"identity": "explicit", "fingerprint": []},
            step=7,
            alone=True,
        )


def _step_8(c: Cases) -> None:
    c.lease("lease, nbf before iat", {"nbf": LEASED - 1}, step=8, alone=True)
    c.lease("lease, nbf after iat", {"nbf": LEASED + 1}, step=8, alone=True)
    c.lease("lease older than its grant", dated(instant(GRANT_DAY - 1) - 1), step=8, alone=True)
    c.lease("lease of the year 1970", dated(0), step=8)
    c.lease("lease one second too long", dated(LEASED, LEASED + 180 * DAY + 1), step=8, alone=True)
    c.lease("lease that ends in 2040", dated(LEASED, YEAR_2040), step=8, alone=True)
    c.lease("lease that ends in 9999", dated(LEASED, YEAR_9999), step=8, alone=True)
    c.lease("lease that ends at 2^53 - 1", dated(LEASED, 2**53 - 1), step=8, alone=True)
    c.lease(
        "lease longer than a short group allows",
        dated(LEASED, LEASED + 30 * DAY + 1),
        granted=grant(key_id="0-11-5", group=SHORT),
        step=8,
        alone=True,
    )
    c.lease(
        "lease that ends a second after its grant",
        dated(LEASED, instant(GRANT_DAY + 90) + 1),
        granted=grant(term=3),
        step=8,
        alone=True,
    )
    c.lease(
        "lease under a grant that had ended",
        granted=grant(day=200, term=1),
        step=8,
        alone=True,
    )


def _step_9(c: Cases) -> None:
    c.lease(
        "fresh answer from too early",
        dated(NOW - SKEW - 1),
        expected={"fresh": True},
        step=9,
        alone=True,
    )
    c.lease(
        "fresh answer from too late",
        dated(NOW + SKEW + 1),
        expected={"fresh": True},
        step=9,
        alone=True,
    )
    c.lease("stored lease served as a fresh answer", expected={"fresh": True}, step=9, alone=True)
    c.lease("stored lease from the future", dated(NOW + SKEW + 1), step=9, alone=True)
    c.lease("lease dated 2040", dated(YEAR_2040), step=9, alone=True)
    c.lease("lease dated 9999", dated(YEAR_9999), step=9, alone=True)
    c.lease(
        "fresh answer dated 2040 by a host in 2040",
        dated(YEAR_2040),
        expected={"fresh": True},
        step=9,
        alone=True,
    )
    c.lease(
        "lease at a clock far behind its mark",
        expected={"clock_mark": NOW + SKEW + 1},
        step=9,
        alone=True,
    )
    c.lease(
        "fresh answer at a clock far behind its mark",
        dated(NOW),
        expected={"clock_mark": NOW + 40 * DAY, "fresh": True},
        step=9,
        alone=True,
    )


def _steps_10_to_12(c: Cases) -> None:
    for count in (24, 1, 0):
        c.lease(f"lease at a count of {count}", None, {"count": count}, step=10, alone=True)
    c.lease(
        "lease at a count that meets the need the host claims",
        None,
        {"count": 5, "need": 5},
        step=10,
        alone=True,
    )
    for stored, here, same in PAIRS:
        if stored and not same:
            _match(c, stored, here, step=11, alone=True)
    c.lease("lease without facts", None, {"fingerprint": []}, step=11, alone=True)
    c.lease("lease on a machine without facts", expected={"fingerprint": []}, step=11, alone=True)
    c.lease(
        "lease of mode explicit with facts of another machine",
        None,
        {"identity": "explicit"},
        world="explicit",
        expected={"identity": "explicit", "fingerprint": OTHER_FACTS},
        step=11,
        alone=True,
    )
    end = LEASED + 180 * DAY
    for name, now in (("in the second of its end", end), ("long after its end", end + 999 * DAY)):
        c.lease(f"lease {name}", expected={"now": now}, step=12, alone=True)
    c.lease("lease that ends before it begins", dated(LEASED, LEASED - 1), step=12, alone=True)
    c.lease(
        "lease with EXP beyond an exp that is over",
        {**dated(LEASED, NOW), "EXP": YEAR_9999},
        step=12,
    )
    c.lease(
        "lease that the clock mark outlived",
        dated(LEASED, NOW + 3600),
        expected={"clock_mark": NOW + 3600},
        step=12,
        alone=True,
    )
    revoked: dict[str, Any] = {"step": 12, "code": "licence/revoked", "alone": True}
    c.lease("lease made after the host's revocation", world="revoked-host-early", **revoked)
    c.lease(
        "lease made on the day of the host's revocation", world="revoked-host-same-day", **revoked
    )
    c.lease(
        "lease made a second after the host's revocation",
        dated(instant(REVOKED_ON) + 1),
        world="revoked-host",
        **revoked,
    )
    for world in (
        "revoked-product-early",
        "revoked-product-and-host",
        "revoked-host-and-product",
    ):
        c.lease(f"lease made after the revocation of its product, {world}", world=world, **revoked)
    for world in ("revoked-host", "revoked-host-key", "revoked-product"):
        c.lease(
            f"lease that a revocation shortened, {world}",
            world=world,
            expected={"now": instant(REVOKED_ON + 30)},
            **revoked,
        )
    c.lease(
        "lease under the earliest of several revocations", world="revoked-host-twice", **revoked
    )
    c.lease(
        "lease that its own exp ended before the revocation could",
        dated(LEASED, NOW),
        world="revoked-host",
        step=12,
        alone=True,
    )
    # The first of several wrongs gives the error.
    c.lease("another machine's lease, expired", {"sub": OTHER_CMID, **dated(LEASED, NOW)}, step=7)
    c.lease("for another product, at no count", {"aud": f"{CONTOSO}/x"}, {"count": 0}, step=6)
    c.lease(
        "everything of the lease wrong but its form",
        {"sub": OTHER_CMID, **dated(YEAR_2040, 0)},
        {"count": 0},
        step=7,
    )
    c.lease(
        "a stranger's lease of a higher v", {"iss": STRANGER.kid}, {"v": 2}, key=STRANGER, step=4
    )


def _activations(c: Cases) -> None:
    forever = {"clock_mark": YEAR_9999}
    for kind, key_id, term in (
        ("mak", MAK_KEY, 0),
        ("evaluation", EVALUATION_KEY, 6),
        ("retail", RETAIL_KEY, 0),
    ):
        c.activation(f"good {kind} grant", mak(key_id, kind=kind, term=term))
    c.activation("good activation grant, alg Ed25519 throughout", mak(head={"alg": "Ed25519"}))
    c.activation("good activation grant of a higher group", mak("1-9-3", ENTERPRISE))
    c.activation(
        "good activation grant with unknown claims", mak(claims={"x": {}}, muster={"y": [None]})
    )
    c.activation("good activation grant without end at a dead clock", mak(), expected={"now": 0})
    c.activation(
        "good activation grant without end whatever the clock mark", mak(), expected=forever
    )
    c.activation("good activation grant from the client's future", mak(day=60000))
    c.activation("good activation grant with a term", mak(term=2))
    c.activation(
        "good activation grant in its last second",
        mak(term=1),
        expected={"now": instant(GRANT_DAY + 30) - 1},
    )
    c.activation("good activation grant by a key retired later", mak(), world="rotated")
    c.activation("good activation grant by the new key", mak(signer=GRANT_1), world="withdrawn")
    c.activation("good activation grant without a catalogue", mak(), world="no-catalogue")
    c.activation("good activation grant though the host is revoked", mak(), world="revoked-host")
    for world in ("revoked-other-product", "revoked-product-without-setup-key"):
        c.activation(f"good activation grant, {world}", mak(), world=world)
    c.activation(
        "good activation grant of another key than the revoked",
        mak("1-7-8"),
        world="revoked-mak-key",
    )
    c.add(
        "good activation answer: other members are ignored",
        jcs({"v": 1, "grant": mak(), "confirmation": "123456", "signer": 7}),
        kind="activation",
    )
    # A1
    payload = grant_payload(
        "mak", CONTOSO, MAK_KEY, BINDING, DESKTOP, hw=None, term=0, day=GRANT_DAY
    )
    text = jcs(payload)
    for name, value in {
        "a fraction": "0.5",
        "a negative number": "-7",
        "2^53": "9007199254740992",
        "a lone surrogate": r'"\udfff"',
        "five levels": "[[[[0]]]]",
    }.items():
        c.activation(
            f"activation grant with {name}",
            _grant_over(appended(payload, f'"x":{value}')),
            step=1,
            alone=True,
        )
    c.activation(
        "activation grant with a duplicate member",
        _grant_over(text.replace('"muster":{', f'"muster":{{"binding":"{OTHER_BINDING}",')),
        step=1,
        alone=True,
    )
    c.activation(
        "activation grant with an escaped duplicate member",
        _grant_over(text.replace('"muster":{', f'"muster":{{"b\\u0069nding":"{OTHER_BINDING}",')),
        step=1,
        alone=True,
    )
    c.activation("activation grant cut short", mak()[:-10], step=1)
    c.activation("activation grant of two parts", mak().rpartition(".")[0], step=1)
    for name, data in {
        "an empty object in place of an activation bundle": "{}",
        "an activation bundle without v": jcs({"grant": mak()}),
        "an activation bundle whose grant is null": jcs({"v": 1, "grant": None}),
    }.items():
        c.add(name, data, kind="activation", step=1)
    c.add(
        "an activation bundle of a higher v",
        jcs({"v": 2, "grant": mak()}),
        kind="activation",
        step=1,
        code="licence/version",
    )
    # A2
    for name, head in HEADERS.items():
        c.activation(f"activation grant header with {name}", mak(head=head), step=2, alone=True)
    for alg in ALGORITHMS:
        c.activation(f"activation grant, alg {alg!r}", mak(head={"alg": alg}), step=2, alone=True)
    # A3
    for name, signer in (
        ("a stranger", STRANGER),
        ("a catalogue key", CATALOGUE_A),
        ("a root", WORKING),
    ):
        c.activation(f"activation grant by {name}", mak(signer=signer), step=3, alone=True)
    c.activation(
        "activation grant by a thief under the good kid",
        mak(signer=THIEF, head={"kid": GRANT_0.kid}),
        step=3,
        alone=True,
    )
    c.activation("activation grant with another typ", mak(head={"typ": LEASE}), step=3, alone=True)
    c.activation(
        "activation grant signed after its key was retired",
        mak(day=RETIRED_ON + 1),
        world="rotated",
        step=3,
        alone=True,
    )
    c.activation(
        "activation grant by a withdrawn key", mak(), world="withdrawn", step=3, alone=True
    )
    c.activation(
        "host grant in place of an activation grant",
        grant(binding=BINDING),
        step=3,
        alone=True,
    )
    c.activation("activation grant of kind setup", mak(muster={"kind": "setup"}), step=3)
    c.activation("activation grant of no kind", mak(muster={"kind": None}), step=3)
    c.activation("activation grant without iat", mak(claims={"iat": None}), step=3)
    c.activation(
        "activation grant in the name of another publisher", mak(claims={"iss": FABRIKAM}), step=3
    )
    c.activation(
        "activation grant of another publisher",
        mak(publisher=FABRIKAM, signer=FABRIKAM_GRANT),
        step=3,
    )
    for world in ("revoked-mak", "revoked-mak-key", "revoked-product", "revoked-product-early"):
        c.activation(
            f"revoked activation grant, {world}",
            mak(),
            world=world,
            step=3,
            code="licence/revoked",
            alone=True,
        )
    # A4
    c.activation(
        "activation grant of a higher v",
        mak(muster={"v": 2}),
        step=4,
        code="licence/version",
        alone=True,
    )
    _grant_claims(c, "activation", 4)
    c.activation(
        "evaluation grant without an end",
        mak(EVALUATION_KEY, kind="evaluation"),
        step=4,
        alone=True,
    )
    # A5
    c.activation(
        "activation grant of a group that the descriptor does not list",
        mak("1-30-1", {"id": "desktop-8", "covers": ["desktop-7", "desktop-8"], "max_lease": DAY}),
        step=5,
        alone=True,
    )
    c.activation(
        "activation grant of a group that does not cover the product",
        mak("1-20-1", OFFICE),
        step=5,
        alone=True,
    )
    c.activation(
        "activation grant that covers only other groups",
        mak(muster={"covers": ["office-2010"]}),
        step=5,
        alone=True,
    )
    # A6
    c.activation(
        "activation grant of another machine", mak(binding=OTHER_BINDING), step=6, alone=True
    )
    c.activation(
        "activation grant on a machine without a binding",
        mak(),
        expected={"binding": ""},
        step=6,
        alone=True,
    )
    # A7
    c.activation(
        "activation grant in the second of its end",
        mak(term=1),
        expected={"now": instant(GRANT_DAY + 30)},
        step=7,
        alone=True,
    )
    c.activation(
        "activation grant with an end more than a day in the future",
        mak(term=1),
        expected={"now": instant(GRANT_DAY - 1) - 1, "clock_mark": 0},
        step=7,
        code="licence/clock",
        alone=True,
    )
    c.activation(
        "good activation grant with an end a day ahead of the clock",
        mak(term=1),
        expected={"now": instant(GRANT_DAY - 1), "clock_mark": 0},
    )
    c.activation(
        "good activation grant with an end, the clock behind its mark",
        mak(term=1),
        expected={"now": 1_262_304_000, "clock_mark": instant(GRANT_DAY)},
    )
    c.activation(
        "good activation grant without an end at a clock of 2010",
        mak(),
        expected={"now": 1_262_304_000, "clock_mark": 0},
    )
    c.activation("activation grant that ended long ago", mak(day=1, term=1), step=7, alone=True)
    c.activation(
        "activation grant with an end at a clock turned back",
        mak(term=1),
        expected={"clock_mark": instant(GRANT_DAY + 30)},
        step=7,
        alone=True,
    )
    c.activation(
        "activation grant of another machine that ended",
        mak(binding=OTHER_BINDING, day=1, term=1),
        step=6,
    )


def _notices(c: Cases) -> None:
    c.notice("good notice")
    c.notice("good notice, alg Ed25519", head={"alg": "Ed25519"})
    c.notice("good notice of another code", None, {"code": "host/some-later-code"})
    c.notice("good notice with unknown claims", {"x": 1}, {"y": 2})
    c.notice(
        "good notice in the last second of the grant",
        {"iat": instant(GRANT_DAY + 30)},
        granted=grant(term=1),
        expected={"now": instant(GRANT_DAY + 30)},
    )
    c.notice("good notice by a retired key's grant", world="rotated")
    for name, at in (("ahead", SKEW), ("behind", -SKEW)):
        c.notice(f"good notice four hours {name}", {"iat": LEASED + 60 + at})
    # N1
    payload = notice_payload()
    for name, value in {
        "a fraction": "0.5",
        "a duplicate inside": '{"a":1,"a":1}',
        "17 items": "[" + ",".join("0" for _ in range(17)) + "]",
    }.items():
        raw = appended(payload, f'"x":{value}')
        main = resigned(signed(NOTICE, payload), HOST, payload=b64(raw.encode()))
        c.add(f"notice with {name}", notice_bundle(main), kind="notice", step=1, alone=True)
    c.add(
        "licence bundle in place of a notice",
        bundle(signed(LEASE, lease_payload())),
        kind="notice",
        step=1,
    )
    c.add("notice bundle in place of a licence", notice_bundle(signed(NOTICE, payload)), step=1)
    c.add(
        "notice bundle of a higher v",
        notice_bundle(signed(NOTICE, payload), v=2),
        kind="notice",
        step=1,
        code="licence/version",
    )
    for member in ("v", "notice", "grant", "signer"):
        c.add(
            f"notice bundle without {member}",
            notice_bundle(signed(NOTICE, payload), **{member: None}),
            kind="notice",
            step=1,
        )
    c.add(
        "notice without a signature",
        notice_bundle(signed(NOTICE, payload).rpartition(".")[0] + "."),
        kind="notice",
        step=1,
    )
    c.add(
        "unsigned order to change the CMID",
        jcs({"v": 1, "code": "host/duplicate-cmid", "nonce": NONCE}),
        kind="notice",
        step=1,
    )
    c.add(
        "lease under the name of a notice",
        notice_bundle(signed(LEASE, lease_payload())),
        kind="notice",
        step=2,
    )
    _step_2(c, "notice")
    _step_3(c, "notice")
    _step_4(c, "notice")
    _versions(c, "notice", 5)
    for member in ("sub", "aud", "iat", "jti"):
        c.notice(f"notice without {member}", {member: None}, step=5)
    for member in ("code", "nonce"):
        c.notice(f"notice without muster.{member}", None, {member: None}, step=5)
        c.notice(f"notice, muster.{member} a number", None, {member: 1}, step=5)
    c.notice("notice whose code is no code", None, {"code": "take another CMID"}, step=5)
    _grant_claims(c, "notice", 5)
    _step_6(c, "notice")
    _step_7(c, "notice")
    for name, at in (("ahead", SKEW + 1), ("behind", -SKEW - 1)):
        c.notice(
            f"notice more than four hours {name}", {"iat": LEASED + 60 + at}, step=8, alone=True
        )
    c.notice("notice of last week", expected={"now": NOW}, step=8, alone=True)
    c.notice(
        "notice is never taken from a store",
        expected={"now": NOW, "fresh": False},
        step=8,
        alone=True,
    )
    c.notice(
        "notice at a clock far behind its mark",
        expected={"clock_mark": LEASED + 60 + SKEW + 1},
        step=8,
        alone=True,
    )
    c.notice(
        "notice made after the grant ended", granted=grant(day=200, term=1), step=9, alone=True
    )
    c.notice(
        "notice made a second after the grant ended",
        {"iat": instant(GRANT_DAY + 30) + 1},
        granted=grant(term=1),
        expected={"now": instant(GRANT_DAY + 30)},
        step=9,
        alone=True,
    )


def licences() -> JSON:
    """The content of licences.json."""
    c = Cases()
    _good_leases(c)
    _step_1(c)
    _step_2(c, "lease")
    _step_3(c, "lease")
    _step_4(c, "lease")
    _step_5(c)
    _step_6(c, "lease")
    _step_7(c, "lease")
    _step_8(c)
    _step_9(c)
    _steps_10_to_12(c)
    _activations(c)
    _notices(c)
    bounds.licence_cases(c)
    return {
        "worlds": {name: world.to_json() for name, world in WORLDS.items()},
        "cases": c.cases,
    }
