"""trust.json and catalogues.json: lines of trust objects, and catalogues read under them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.vectors.making import bounds
from tests.vectors.making.cases import appended, loosened, resigned
from tests.vectors.making.signing import (
    DAY,
    JSON,
    Key,
    compact,
    header,
    instant,
    jcs,
    product_key,
    publisher_id,
    token,
)
from tests.vectors.making.worlds import (
    CATALOGUE,
    CATALOGUE_A,
    CATALOGUE_B,
    CONTOSO,
    DESKTOP,
    FABRIKAM,
    FABRIKAM_GRANT,
    FABRIKAM_RESERVE,
    FABRIKAM_WORKING,
    GRANT_0,
    GRANT_1,
    HOST,
    NEW_RESERVE,
    NEW_ROOTS,
    NEW_WORKING,
    RESERVE,
    RETIRED_ON,
    START,
    STRANGER,
    THIEF,
    TRUST,
    TRUST_1,
    TRUST_2,
    TRUST_3,
    TRUST_AFTER_NEW_ROOTS,
    TRUST_NEW_ROOTS,
    USUAL_KEYS,
    WITHDRAWN_KEYS,
    WORKING,
    catalogue,
    catalogue_payload,
    product,
    trust,
    trust_payload,
    working_key,
)

THIEF_KEYS = (working_key(THIEF, "catalogue"), working_key(STRANGER, "grant", 0))
THIEF_ROOTS = (THIEF, STRANGER)
NEXT_ROOTS = (Key("contoso third working root"), Key("contoso third reserve root"))


class Lines:
    """Collects cases whose names are unique."""

    def __init__(self) -> None:
        self.cases: list[JSON] = []
        self._names: set[str] = set()

    def add(
        self,
        name: str,
        result: int | str,
        line: Sequence[str] = (),
        *,
        start: str = TRUST_1,
        **more: Any,
    ) -> None:
        """One line from an anchor; `result` is the version reached or the error code."""
        if name in self._names:
            raise ValueError(f"{name} stands twice")
        self._names.add(name)
        self.cases.append(
            {"name": name, "anchor": start, "line": list(line), **more, "result": result}
        )


def raw_trust(payload: str, signer: Key = WORKING, **head: Any) -> str:
    """A trust object over a raw text."""
    return compact(jcs(header(TRUST, signer.kid, **head)), payload, signer)


def _anchors(c: Lines) -> None:
    c.add("anchor of version 1", 1)
    c.add(
        "anchor under a name that is not ASCII",
        1,
        start=trust(1, name="Ĉontoso Šoftware 株式会社 🜁"),
    )
    c.add("anchor of a later version by the working root", 7, start=trust(7))
    c.add("anchor of a later version by the reserve root", 7, start=trust(7, RESERVE))
    c.add("anchor of new roots, signed by the new working root", 3, start=TRUST_AFTER_NEW_ROOTS)
    c.add("anchor, alg Ed25519", 1, start=raw_trust(jcs(trust_payload(1)), alg="Ed25519"))
    c.add(
        "anchor with unknown claims",
        1,
        start=trust(1, claims={"x": 1}, muster={"hint": {"__proto__": []}}),
    )
    c.add(
        "anchor with a key of a role of later programs",
        1,
        start=trust(1, keys=[*USUAL_KEYS, working_key(HOST, "reports")]),
    )
    c.add("anchor without keys", 1, start=trust(1, keys=[]))
    c.add(
        "anchor of new roots, signed by the old reserve root", "trust/root", start=TRUST_NEW_ROOTS
    )
    c.add("anchor of version 1 by the reserve root", "trust/root", start=trust(1, RESERVE))
    c.add("anchor by a stranger", "trust/root", start=trust(1, STRANGER))
    c.add("anchor by a working key", "trust/root", start=trust(1, GRANT_0))
    c.add(
        "anchor whose id is not of its root",
        "trust/publisher",
        start=trust(1, issuer=publisher_id(STRANGER)),
    )
    c.add(
        "anchor whose id is of the reserve root",
        "trust/publisher",
        start=trust(1, issuer=publisher_id(RESERVE)),
    )
    forged = trust(1, name="Contoso Ltd").rpartition(".")[0] + "." + TRUST_1.rpartition(".")[2]
    c.add("anchor changed after signing", "trust/signature", start=forged)


def _lines(c: Lines) -> None:
    c.add("rotated key", 2, [TRUST_2])
    c.add("rotated and withdrawn keys", 3, [TRUST_2, TRUST_3])
    c.add("a line may start at the version held", 2, [TRUST_1, TRUST_2])
    c.add("new roots by the reserve root", 2, [TRUST_NEW_ROOTS])
    c.add("the new working root goes on", 3, [TRUST_NEW_ROOTS, TRUST_AFTER_NEW_ROOTS])
    c.add("the reserve root jumps", 40, [trust(40, RESERVE)])
    c.add("the reserve root signs the next version", 2, [trust(2, RESERVE)])
    c.add("the reserve root keeps itself", 2, [trust(2, RESERVE, roots=(NEW_WORKING, RESERVE))])
    c.add(
        "the reserve root becomes the working root",
        2,
        [trust(2, RESERVE, roots=(RESERVE, NEW_RESERVE))],
    )
    c.add(
        "the new reserve root changes the roots again",
        9,
        [TRUST_NEW_ROOTS, trust(9, NEW_RESERVE, roots=NEXT_ROOTS)],
    )
    c.add("the name may change", 2, [trust(2, name="Contoso & Söhne")])
    c.add("an index may go to another key", 2, [trust(2, keys=[working_key(GRANT_1, "grant", 0)])])
    c.add("a key may change its role", 2, [trust(2, keys=[working_key(GRANT_0, "catalogue")])])
    c.add("iat may go back", 2, [trust(2, claims={"iat": START - DAY})])
    _of_the_future(c)
    c.add("64 versions", 65, [trust(n) for n in range(2, 66)])
    c.add("65 versions: a contact takes 64", 65, [trust(n) for n in range(2, 67)])
    c.add(
        "the reserve root after 63 versions",
        1000,
        [*(trust(n) for n in range(2, 65)), trust(1000, RESERVE)],
    )
    # The thief of the working root.
    thief = [trust(n, keys=THIEF_KEYS) for n in range(2, 6)]
    rescue = trust(1_000_000, RESERVE, roots=NEW_ROOTS, keys=WITHDRAWN_KEYS)
    after = trust(1_000_001, NEW_WORKING, roots=NEW_ROOTS, keys=WITHDRAWN_KEYS)
    c.add("a thief's line by the working root", 5, thief)
    c.add("the reserve root on top of the thief's line", 1_000_001, [*thief, rescue, after])
    c.add(
        "the reserve root on top of the honest line", 1_000_001, [TRUST_2, TRUST_3, rescue, after]
    )
    c.add("the reserve root on top of the anchor", 1_000_001, [rescue, after])
    c.add("the honest line on top of the thief's", 3, [thief[0], TRUST_3])
    c.add("the thief goes on after the rescue", "trust/root", [rescue, trust(1_000_001)])
    c.add(
        "the thief's next version after a rescue that kept its root",
        7,
        [trust(6, RESERVE), trust(7, keys=THIEF_KEYS)],
    )
    c.add("the thief changes both roots", "trust/roots", [trust(2, roots=THIEF_ROOTS)])
    c.add("the thief changes the reserve root", "trust/roots", [trust(2, roots=(WORKING, THIEF))])
    c.add("the thief changes the working root", "trust/roots", [trust(2, roots=(THIEF, RESERVE))])
    c.add("the thief swaps the roots", "trust/roots", [trust(2, roots=(RESERVE, WORKING))])
    c.add("the thief signs its own new roots", "trust/root", [trust(2, THIEF, roots=THIEF_ROOTS)])
    c.add("the thief skips a version", "trust/step", [trust(3)])
    c.add(
        "the thief jumps to the last version",
        "trust/step",
        [trust(2**53 - 1, claims={"iat": START})],
    )
    c.add(
        "the thief skips under the reserve root's kid",
        "trust/signature",
        [raw_trust(jcs(trust_payload(40)), WORKING, kid=RESERVE.kid)],
    )
    # What does not follow.
    c.add("an older version by the working root", "trust/step", [TRUST_2, TRUST_3, TRUST_2])
    c.add(
        "an older version by the reserve root",
        "trust/step",
        [trust(40, RESERVE), trust(39, RESERVE)],
    )
    c.add("another text of the version held", "trust/step", [TRUST_2, trust(2)])
    c.add(
        "another text of the version held by the reserve root",
        "trust/step",
        [TRUST_2, trust(2, RESERVE)],
    )
    c.add("version 1 again after version 2", "trust/step", [TRUST_2, TRUST_1])
    c.add("a gap in a line", "trust/step", [TRUST_2, trust(4)])
    c.add("the old working root after new roots", "trust/root", [TRUST_NEW_ROOTS, trust(3)])
    c.add(
        "the old reserve root after new roots", "trust/root", [TRUST_NEW_ROOTS, trust(3, RESERVE)]
    )
    c.add("another label", "trust/publisher", [trust(2, label="contos0")])
    c.add(
        "another label by the reserve root",
        "trust/publisher",
        [trust(2, RESERVE, label="fabrikam")],
    )
    c.add("another id", "trust/publisher", [trust(2, issuer=publisher_id(NEW_WORKING))])
    c.add("another id by the reserve root", "trust/publisher", [trust(2, RESERVE, issuer=FABRIKAM)])
    fabrikam = trust(
        2,
        FABRIKAM_WORKING,
        issuer=FABRIKAM,
        label="fabrikam",
        roots=(FABRIKAM_WORKING, FABRIKAM_RESERVE),
    )
    c.add("another publisher's trust", "trust/root", [fabrikam])
    c.add("signed by a stranger", "trust/root", [trust(2, STRANGER)])
    c.add("signed by a grant key", "trust/root", [trust(2, GRANT_0)])
    c.add("signed by a catalogue key", "trust/root", [trust(2, CATALOGUE_A)])
    c.add(
        "signed by a root of its own that is not held",
        "trust/root",
        [trust(2, NEW_WORKING, roots=NEW_ROOTS)],
    )
    stranger = compact(jcs(header(TRUST, WORKING.kid)), jcs(trust_payload(2)), STRANGER)
    c.add("a stranger's signature under the working root's kid", "trust/signature", [stranger])
    c.add(
        "a stranger's signature under the reserve root's kid",
        "trust/signature",
        [compact(jcs(header(TRUST, RESERVE.kid)), jcs(trust_payload(2)), STRANGER)],
    )
    mixed = trust(2).rpartition(".")[0] + "." + TRUST_2.rpartition(".")[2]
    c.add("changed after signing", "trust/signature", [mixed])


def _of_the_future(c: Lines) -> None:
    """A version that was signed while the publisher's clock was ahead locks nothing."""
    ahead = {"iat": START + 5_000 * DAY}
    usual = trust(2, claims=ahead)
    c.add("the working root after a version of the future", 3, [usual, trust(3)])
    c.add("the reserve root after a version of the future", 3, [usual, trust(3, RESERVE)])
    c.add(
        "new roots after a version of the future",
        41,
        [
            usual,
            trust(40, RESERVE, roots=NEW_ROOTS, keys=WITHDRAWN_KEYS),
            trust(41, NEW_WORKING, roots=NEW_ROOTS, keys=WITHDRAWN_KEYS),
        ],
    )
    c.add(
        "the reserve root in the future, and the next version now",
        3,
        [trust(2, RESERVE, claims=ahead), trust(3)],
    )
    c.add("an anchor of the future", 2, [trust(2)], start=trust(1, claims=ahead))


def _laws(c: Lines) -> None:
    """What breaks the laws inside one version, or its claims."""
    keys = {
        "the working root as a working key": [*USUAL_KEYS, working_key(WORKING, "grant", 1)],
        "the reserve root as a working key": [*USUAL_KEYS, working_key(RESERVE, "catalogue")],
        "one key in two roles": [*USUAL_KEYS, working_key(GRANT_0, "catalogue")],
        "one key twice": [*USUAL_KEYS, working_key(CATALOGUE_A, "catalogue", until=300)],
        "one grant key under two indexes": [*USUAL_KEYS, working_key(GRANT_0, "grant", 1)],
        "two keys of one index": [*USUAL_KEYS, working_key(GRANT_1, "grant", 0)],
        "a retired and a used key of one index": [
            working_key(GRANT_0, "grant", 0, until=300),
            working_key(GRANT_1, "grant", 0),
        ],
        "a grant key without index": [working_key(GRANT_0, "grant")],
        "a catalogue key with an index": [working_key(CATALOGUE_A, "catalogue", 0)],
        "an index of 256": [working_key(GRANT_0, "grant", 256)],
        "an index that is a text": [{**working_key(GRANT_0, "grant"), "index": "0"}],
        "until above the last day": [working_key(GRANT_0, "grant", 0, until=65_536)],
        "until null": [{**working_key(GRANT_0, "grant", 0), "until": None}],
        "a key without role": [{"jwk": GRANT_0.jwk}],
        "a role in capitals": [working_key(GRANT_0, "GRANT")],
        "a key without jwk": [{"role": "catalogue"}],
        "a jwk with a private half": [{"jwk": {**GRANT_0.jwk, "d": "x"}, "role": "catalogue"}],
        "a key that is a text": [GRANT_0.kid],
    }
    for name, value in keys.items():
        # "until null" must stay in the object, so that these payloads are not made by `trust`.
        payload = trust_payload(2)
        payload["muster"]["keys"] = value
        c.add(name, "trust/claims", [raw_trust(jcs(payload))])
    members: dict[str, JSON] = {
        "version 0": {"version": 0},
        "version missing": {"version": None},
        "version a text": {"version": "2"},
        "label in capitals": {"label": "Contoso"},
        "label of 21 characters": {"label": "c" * 21},
        "label missing": {"label": None},
        "name missing": {"name": None},
        "name empty": {"name": ""},
        "name with a control character": {"name": "Contoso\u001b[2J"},
        "name that turns the direction of writing": {"name": "Contoso \u202eosotnoC"},
        "roots missing": {"roots": None},
        "one root": {"roots": [WORKING.jwk]},
        "three roots": {"roots": [WORKING.jwk, RESERVE.jwk, NEW_RESERVE.jwk]},
        "one root twice": {"roots": [WORKING.jwk, WORKING.jwk]},
        "roots an object": {"roots": {"working": WORKING.jwk, "reserve": RESERVE.jwk}},
        "keys missing": {"keys": None},
        "v 0": {"v": 0},
        "v missing": {"v": None},
    }
    for name, muster in members.items():
        c.add(name, "trust/claims", [trust(2, muster=muster)])
    c.add("iss missing", "trust/claims", [trust(2, claims={"iss": None})])
    c.add("iss in capitals", "trust/claims", [trust(2, claims={"iss": CONTOSO.upper()})])
    c.add("iat missing", "trust/claims", [trust(2, claims={"iat": None})])
    c.add("iat a text", "trust/claims", [trust(2, claims={"iat": "now"})])
    c.add("muster missing", "trust/claims", [trust(2, claims={"muster": None})])
    c.add("a higher v", "licence/version", [trust(2, muster={"v": 2})])
    c.add("a higher v by the reserve root", "licence/version", [trust(2, RESERVE, muster={"v": 9})])
    c.add("a higher v in the anchor", "licence/version", start=trust(1, muster={"v": 2}))
    c.add(
        "a higher v by a stranger makes nobody update",
        "trust/root",
        [trust(2, STRANGER, muster={"v": 2})],
    )


def _form(c: Lines) -> None:
    """Strict reading and headers."""
    payload = trust_payload(2)
    text = jcs(payload)
    c.add("not canonical JSON", 2, [raw_trust(json.dumps(payload, indent=1))])
    c.add("a payload of exactly 32768 bytes", 2, [raw_trust(_padded(text, 32768))])
    many = [working_key(Key(f"grant key {n}"), "grant", n, until=n) for n in range(71)]
    c.add("71 keys and 512 members", 2, [trust(2, keys=many)])
    malformed = {
        "a payload of 32769 bytes": raw_trust(_padded(text, 32769)),
        "a duplicate member": raw_trust(text.replace('"version":2', '"version":40,"version":2')),
        "an escaped duplicate member": raw_trust(
            text.replace('"version":2', r'"versio\u006e":40,"version":2')
        ),
        "a duplicate member in a key": raw_trust(
            text.replace('"role":"grant"', '"role":"catalogue","role":"grant"')
        ),
        "a fraction": raw_trust(text.replace('"version":2', '"version":2.0')),
        "a negative number": raw_trust(text.replace('"version":2', '"version":-2')),
        "version 2^53": raw_trust(text.replace('"version":2', f'"version":{2**53}')),
        "a lone surrogate": raw_trust(text.replace('"Contoso"', r'"Contoso\ud800"')),
        "a byte order mark": raw_trust("\ufeff" + text),
        "seven levels": raw_trust(appended(payload, '"x":[[[[[[0]]]]]]')),
        "513 members": raw_trust(appended(payload, ",".join(f'"m{n}":0' for n in range(500)))),
        "257 items": raw_trust(appended(payload, '"x":[' + "0," * 256 + "0]")),
        "cut short": trust(2)[:-8],
        "two parts": trust(2).rpartition(".")[0],
        "nothing": "",
        "a payload with unused bits": _loose(text),
        "a signature with padding": f"{trust(2)}==",
        "a signature with a letter that is not ASCII": f"{trust(2)[:-1]}é",
        "a text that is too long": raw_trust(text, pad="p" * 8000) + "A" * 65536,
    }
    for name, value in malformed.items():
        c.add(name, "licence/malformed", [value])
    c.add("six levels", 2, [raw_trust(appended(payload, '"x":[[[[[0]]]]]'))])
    headers: dict[str, JSON] = {
        "header with crit": {"crit": ["exp"]},
        "header with jwk": {"jwk": WORKING.jwk},
        "header with another typ": {"typ": CATALOGUE},
        "header with alg none": {"alg": "none"},
        "header with alg ES256": {"alg": "ES256"},
        "header with alg in small letters": {"alg": "eddsa"},
    }
    for name, head in headers.items():
        bad = compact(jcs({**header(TRUST, WORKING.kid), **head}), text, WORKING)
        c.add(name, "licence/header", [bad])
    c.add("a catalogue in place of trust", "licence/header", [catalogue()])


def _padded(text: str, size: int) -> str:
    return f'{text[:-1]},"pad":"{"p" * (size - len(text.encode()) - 9)}"}}'


def _loose(text: str) -> str:
    odd = next(part for part in (f"{text}{' ' * n}" for n in range(3)) if len(part.encode()) % 3)
    good = raw_trust(odd)
    return resigned(good, WORKING, payload=loosened(good.split(".")[1]))


def _swapped(key: str) -> str:
    """A product key with two neighbours swapped that differ."""
    if key[0] == key[1]:
        raise ValueError("nothing to swap")
    return key[1] + key[0] + key[2:]


def trusts() -> JSON:
    """The content of trust.json."""
    c = Lines()
    _anchors(c)
    _lines(c)
    _laws(c)
    _form(c)
    bounds.trust_cases(c)
    return {"cases": c.cases}


def catalogues() -> JSON:
    """The content of catalogues.json."""
    c = Lines()

    def add(name: str, result: int | str, text: str, line: Sequence[str] = ()) -> None:
        c.add(name, result, line, catalogue=text)

    payload = catalogue_payload()
    text = jcs(payload)
    add("catalogue", 1, catalogue())
    add("catalogue of the last version", 2**53 - 1, catalogue(2**53 - 1))
    add("catalogue with unknown claims", 1, catalogue(claims={"x": {}}, muster={"y": [1]}))
    add(
        "catalogue that lists nothing",
        1,
        catalogue(
            muster={
                n: [] for n in ("groups", "applications", "products", "conversions", "revocations")
            }
        ),
    )
    revoked = [{"jti": token("a"), "at": 0}, {"key": "0-7-1", "at": 65_535}] * 20
    add("catalogue with revocations", 1, catalogue(revocations=revoked))
    last = instant(RETIRED_ON, DAY - 1)
    add("catalogue signed in the last second of its key", 2, catalogue(2, iat=last), [TRUST_2])
    add("catalogue signed by the new key", 3, catalogue(3, CATALOGUE_B), [TRUST_2])
    add("catalogue under new roots", 1, catalogue(), [TRUST_NEW_ROOTS])
    signer = "catalogue/signer"
    add("catalogue signed after its key was retired", signer, catalogue(2, iat=last + 1), [TRUST_2])
    add("catalogue by a withdrawn key", signer, catalogue(), [TRUST_2, TRUST_3])
    add("catalogue by the new key under the old trust", signer, catalogue(3, CATALOGUE_B))
    add(
        "catalogue by a thief's key, on the thief's line",
        9,
        catalogue(9, THIEF),
        [trust(2, keys=THIEF_KEYS)],
    )
    rescue = trust(90, RESERVE, roots=NEW_ROOTS, keys=WITHDRAWN_KEYS)
    add(
        "catalogue by a thief's key, after the rescue",
        signer,
        catalogue(9, THIEF),
        [trust(2, keys=THIEF_KEYS), rescue],
    )
    for who, key in (
        ("a stranger", STRANGER),
        ("a grant key", GRANT_0),
        ("the working root", WORKING),
        ("another publisher", FABRIKAM_GRANT),
    ):
        add(f"catalogue by {who}", signer, catalogue(signer=key))
    add(
        "catalogue by a stranger under the good kid",
        signer,
        compact(jcs(header(CATALOGUE, CATALOGUE_A.kid)), text, STRANGER),
    )
    mixed = catalogue(2).rpartition(".")[0] + "." + catalogue().rpartition(".")[2]
    add("catalogue changed after signing", signer, mixed)
    add(
        "catalogue of a higher v by a stranger", signer, catalogue(signer=STRANGER, muster={"v": 2})
    )
    add("catalogue of a higher v", "licence/version", catalogue(muster={"v": 2}))
    add("catalogue of another publisher", "catalogue/publisher", catalogue(issuer=FABRIKAM))
    groups = payload["muster"]["groups"]
    extra = {**DESKTOP, "id": "x", "covers": ["x"], "number": 99}
    wrong: dict[str, JSON] = {
        "without version": {"version": None},
        "of version 0": {"version": 0},
        "of v 0": {"v": 0},
        "without groups": {"groups": None},
        "without products": {"products": None},
        "without revocations": {"revocations": None},
        "whose revocations are an object": {"revocations": {}},
        "with a revocation of nothing": {"revocations": [{"at": 3}]},
        "with a revocation of both": {
            "revocations": [{"jti": token("a"), "key": "0-7-1", "at": 3}]
        },
        "with a revocation without a day": {"revocations": [{"jti": token("a")}]},
        "with a revocation after the last day": {
            "revocations": [{"jti": token("a"), "at": 65_536}]
        },
        "with a revocation of a cut jti": {"revocations": [{"jti": token("a")[:20], "at": 3}]},
        "with a revocation of a kind that does not exist": {
            "revocations": [{"key": "5-7-1", "at": 3}]
        },
        "with a revocation of group 1024": {"revocations": [{"key": "0-1024-1", "at": 3}]},
        "with a revocation of serial 2^24": {"revocations": [{"key": "0-7-16777216", "at": 3}]},
        "with a revocation of a key id with leading zeros": {
            "revocations": [{"key": "0-07-1", "at": 3}]
        },
        "with a revocation of no key id": {"revocations": [{"key": "0-7", "at": 3}]},
        "with a group twice": {"groups": [*groups, DESKTOP]},
        "with a group number twice": {"groups": [*groups, {**extra, "number": 7}]},
        "with a group that does not cover itself": {
            "groups": [{**DESKTOP, "covers": ["x"]}, *groups[1:]]
        },
        "with covers that are not sorted": {
            "groups": [{**DESKTOP, "covers": ["desktop-7", "a"]}, *groups[1:]]
        },
        "with a group number of 1024": {
            "groups": [
                *groups,
                {**extra, "number": 1024},
            ]
        },
        "with unknown terms of a group": {
            "groups": [
                *groups,
                {**extra, "terms": "maybe"},
            ]
        },
        "with a product twice": {"products": [product(), product()]},
        "with a product of an unlisted group": {"products": [product(group="desktop-8")]},
        "with a product of an unlisted application": {"products": [product(application="games")]},
        "with a need of 0": {"products": [product(need=0)]},
        "with an unknown identity mode": {"products": [product(identity=["bearer"])]},
        "with no identity mode": {"products": [product(identity=[])]},
        "with a product without a name": {"products": [product(name="")]},
        "with a setup key that is none": {"products": [product(setup_key="ask the publisher")]},
        "with a host key as setup key": {
            "products": [product(setup_key=product_key(CONTOSO, 0, 7, 1234, 5))]
        },
        "with a setup key of a later version": {
            "products": [product(setup_key=product_key(CONTOSO, 2 + 8, 7, 1234, 5))]
        },
        "with a setup key in small letters": {
            "products": [product(setup_key=product()["setup_key"].lower())]
        },
        "with a mistyped setup key": {
            "products": [product(setup_key=_swapped(product()["setup_key"]))]
        },
        "with a group that covers 17": {
            "groups": [*groups, {**extra, "covers": sorted(["x", *(f"y{n}" for n in range(16))])}]
        },
        "with a product of 257 features": {
            "products": [product(features=[f"f{n}" for n in range(257)])]
        },
        "with a feature twice": {"products": [product(features=["a", "a"])]},
        "with an unknown conversion rule": {
            "conversions": [{"source": "a", "target": "b", "rule": "perhaps", "way": ""}]
        },
    }
    for end in ("1", None, True):
        ended = {"source": "a", "target": "b", "rule": "refused", "way": "", "until": end}
        wrong[f"with a conversion until {end!r}"] = {"conversions": [ended]}
    for name, muster in wrong.items():
        add(f"catalogue {name}", "catalogue/claims", catalogue(muster=muster))
    add("catalogue without iss", "catalogue/claims", catalogue(claims={"iss": None}))
    add("catalogue without muster", "catalogue/claims", catalogue(claims={"muster": None}))

    def raw(value: str, **head: Any) -> str:
        return compact(jcs({**header(CATALOGUE, CATALOGUE_A.kid), **head}), value, CATALOGUE_A)

    version = '"version":1}'
    if version not in text:
        raise ValueError("the version is not the last member")
    for name, value in {
        "with a duplicate member": text.replace(version, f'"version":9,{version}'),
        "with an escaped duplicate member": text.replace(version, f'"\\u0076ersion":9,{version}'),
        "with a fraction": text.replace(version, '"version":1.0}'),
        "with a lone surrogate": text.replace('"Contoso Office"', r'"Contoso\udc00"'),
        "of nine levels": appended(payload, '"x":[[[[[[[[0]]]]]]]]'),
    }.items():
        add(f"catalogue {name}", "licence/malformed", raw(value))
    add("catalogue of eight levels", 1, raw(appended(payload, '"x":[[[[[[[0]]]]]]]')))
    add("catalogue cut short", "licence/malformed", catalogue()[:-3])
    heads: dict[str, JSON] = {
        "with crit": {"crit": []},
        "with alg none": {"alg": "none"},
        "with the typ of trust": {"typ": TRUST},
    }
    for name, head in heads.items():
        add(f"catalogue header {name}", "licence/header", raw(text, **head))
    add("trust in place of a catalogue", "licence/header", TRUST_1)
    bounds.catalogue_cases(add)
    return {"cases": c.cases}
