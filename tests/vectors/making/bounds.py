"""Cases for what builders had to guess: orders of errors, bounds, grammars, odd keys and names.

They go into trust.json, catalogues.json and licences.json, behind the cases that stand there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tests.vectors.making.cases import (
    LEASE,
    NOTICE,
    Cases,
    appended,
    bundle,
    grant,
    lease_payload,
    mak,
    notice_bundle,
    notice_payload,
    signed,
)
from tests.vectors.making.points import BAD_KEYS, GOOD_KEYS, RawKey, odd_keys
from tests.vectors.making.signing import JSON, Key, compact, header, jcs, product_key, publisher_id
from tests.vectors.making.worlds import (
    CATALOGUE,
    CATALOGUE_A,
    CONTOSO,
    DESKTOP,
    FABRIKAM,
    GRANT_0,
    GRANT_1,
    HOST,
    RESERVE,
    START,
    STRANGER,
    TRUST,
    TRUST_1,
    TRUST_2,
    TRUST_3,
    USUAL_KEYS,
    WORKING,
    catalogue,
    catalogue_payload,
    group,
    product,
    trust,
    trust_payload,
    working_key,
)

SPAN = 2**31 - 1
INTEGER = 2**53 - 1
UNSEEN = {
    "an Arabic letter mark": "\u061c",
    "a zero width space": "\u200b",
    "a zero width joiner": "\u200d",
    "a word joiner": "\u2060",
    "a byte order mark": "\ufeff",
    "a soft hyphen": "\u00ad",
    "a Hangul filler": "\u3164",
    "a variation selector": "\ufe0f",
    "a tag character": "\U000e0041",
    "a private character": "\ue000",
    "no character": "\ufffe",
    "a line separator": "\u2028",
    "an annotation anchor": "\ufff9",
}


class Lines(Protocol):
    """What collects cases of trust (`tests.vectors.making.trusts.Lines`)."""

    def add(self, name: str, result: int | str, line: Any = (), *, start: str = ...) -> None:
        """One line from an anchor."""


def _raw(payload: JSON, signer: Key = WORKING, *, by: Key | None = None, **head: Any) -> str:
    """A trust object whose header names `signer`, signed by somebody else where `by` is given."""
    return compact(jcs(header(TRUST, signer.kid, **head)), jcs(payload), by or signer)


def trust_cases(c: Lines) -> None:
    """Anchors and lines."""
    _anchor_order(c)
    _follow_order(c)
    _held_again(c)
    _trust_grammar(c)
    _trust_keys(c)


def _anchor_order(c: Lines) -> None:
    def anchor(name: str, result: str, start: str) -> None:
        c.add(f"order of an anchor: {name}", result, start=start)

    bad = {"label": "Contoso"}
    twice = jcs(trust_payload(1)).replace('"version":1', '"version":1,"version":1')
    anchor(
        "malformed before header",
        "licence/malformed",
        compact(jcs(header(TRUST, WORKING.kid, typ=CATALOGUE)), twice, WORKING),
    )
    anchor(
        "header before version",
        "licence/header",
        _raw(trust_payload(1, muster={"v": 2}), typ=CATALOGUE),
    )
    anchor("version before claims", "licence/version", trust(1, muster={"v": 2, **bad}))
    anchor(
        "version before laws",
        "licence/version",
        trust(1, roots=(WORKING, WORKING), muster={"v": 2}),
    )
    anchor("version before root", "licence/version", trust(1, STRANGER, muster={"v": 2}))
    anchor("claims before root", "trust/claims", trust(1, STRANGER, muster=bad))
    anchor(
        "laws before root",
        "trust/claims",
        trust(1, STRANGER, keys=[*USUAL_KEYS, working_key(GRANT_0, "catalogue")]),
    )
    anchor(
        "claims before signature", "trust/claims", _raw(trust_payload(1, muster=bad), by=STRANGER)
    )
    anchor("root before signature", "trust/root", _raw(trust_payload(1), RESERVE, by=STRANGER))
    anchor("root before publisher", "trust/root", trust(1, RESERVE, issuer=publisher_id(STRANGER)))
    other = trust_payload(1, issuer=publisher_id(STRANGER))
    anchor("signature before publisher", "trust/signature", _raw(other, by=STRANGER))
    anchor("publisher last", "trust/publisher", _raw(other))
    c.add("an anchor above version 1 may name any publisher id", 2, start=trust(2, issuer=FABRIKAM))


def _follow_order(c: Lines) -> None:
    def follow(name: str, result: str, text: str) -> None:
        c.add(f"order of following: {name}", result, [text])

    later = {"v": 2, "label": "Contoso"}
    bad = {"label": "Contoso"}
    follow("header before root", "licence/header", _raw(trust_payload(2), STRANGER, typ=CATALOGUE))
    follow("root before signature", "trust/root", _raw(trust_payload(2), STRANGER, by=WORKING))
    follow("root before claims", "trust/root", trust(2, STRANGER, muster=bad))
    follow(
        "signature before version",
        "trust/signature",
        _raw(trust_payload(2, muster=later), by=STRANGER),
    )
    follow(
        "signature before claims",
        "trust/signature",
        _raw(trust_payload(2, muster=bad), by=STRANGER),
    )
    follow("version before claims", "licence/version", trust(2, muster=later))
    follow(
        "claims before publisher", "trust/claims", trust(2, issuer=FABRIKAM, muster={"name": ""})
    )
    follow("publisher before step", "trust/publisher", trust(5, label="fabrikam"))
    follow("step before roots", "trust/step", trust(5, roots=(STRANGER, RESERVE)))
    follow(
        "step of the reserve root before nothing",
        "trust/step",
        trust(1, RESERVE, roots=(STRANGER, RESERVE)),
    )


def _held_again(c: Lines) -> None:
    many = [trust(number) for number in range(2, 70)]
    c.add(
        "the version held comes again and again", 3, [TRUST_1, TRUST_1, TRUST_2, TRUST_2, TRUST_3]
    )
    c.add("nothing but the version held", 1, [TRUST_1] * 3)
    c.add("the version held is none of the 64", 65, [TRUST_1, *many[:63], many[62], *many[63:]])
    c.add(
        "an anchor that is no version 1 at the begin of its line",
        3,
        [TRUST_2, TRUST_3],
        start=TRUST_2,
    )
    c.add("version 1 before the version held", "trust/step", [TRUST_1, TRUST_3], start=TRUST_2)
    c.add("what does not follow ends a line", "trust/step", [TRUST_2, trust(4), TRUST_3])
    spaced = compact(jcs(header(TRUST, WORKING.kid)), jcs(trust_payload(1)) + " ", WORKING)
    c.add("the version held in other bytes", "trust/step", [spaced])


def _trust_grammar(c: Lines) -> None:
    for name, role in {
        "of one character": "r",
        "of 64 characters": "r" * 64,
        "with dots and dashes": "a.-0",
        "that begins as another": "grant.",
    }.items():
        c.add(f"a role {name}", 1, start=trust(1, keys=[*USUAL_KEYS, working_key(HOST, role)]))
    for name, role in {
        "of 65 characters": "r" * 65,
        "of no character": "",
        "with an underscore": "a_b",
        "with a space": "a b",
        "with a line end": "grant\n",
        "that is not ASCII": "größe",
    }.items():
        c.add(
            f"a role {name}",
            "trust/claims",
            start=trust(1, keys=[*USUAL_KEYS, working_key(HOST, role)]),
        )
    keys = [*USUAL_KEYS, working_key(HOST, "reports", 7)]
    c.add("a role that is not known with an index", "trust/claims", start=trust(1, keys=keys))
    keys = [*USUAL_KEYS, working_key(HOST, "reports", until=7)]
    c.add("a role that is not known, retired", 1, start=trust(1, keys=keys))
    two = [*USUAL_KEYS, working_key(HOST, "reports"), working_key(STRANGER, "reports")]
    c.add("two keys of a role that is not known", 1, start=trust(1, keys=two))
    days = [
        working_key(CATALOGUE_A, "catalogue", until=0),
        working_key(GRANT_0, "grant", 255, until=65_535),
        working_key(GRANT_1, "grant", 0),
    ]
    c.add("first and last day, first and last index", 1, start=trust(1, keys=days))
    c.add("the last version", INTEGER, start=trust(INTEGER, claims={"iat": START}))
    c.add("iat of 0", 1, start=trust(1, claims={"iat": 0}))
    c.add("iat of 2^53 - 1", 1, start=trust(1, claims={"iat": INTEGER}))
    for label in ("c", "-", "0" * 20):
        c.add(f"label {label}", 1, start=trust(1, label=label))
    for label in ("", "a.b", "contoso\n"):
        c.add(f"label {label!r}", "trust/claims", start=trust(1, label=label))
    for name, character in UNSEEN.items():
        c.add(f"a name with {name}", "trust/claims", start=trust(1, name=f"Con{character}toso"))
    c.add("a name that ends with a space", "trust/claims", start=trust(1, name="Contoso "))
    c.add("a name of no-break spaces", "trust/claims", start=trust(1, name="\u00a0\u00a0"))
    c.add("a name of 201 code points", "trust/claims", start=trust(1, name="\U0001f701" * 201))
    c.add("a name of 200 code points", 1, start=trust(1, name="\U0001f701" * 200))
    empty = appended(trust_payload(1), '"x":[[[[{}]]]]')
    c.add(
        "six levels, the last an empty object",
        1,
        start=compact(jcs(header(TRUST, WORKING.kid)), empty, WORKING),
    )
    empty = appended(trust_payload(1), '"x":[[[[[[]]]]]]')
    c.add(
        "seven levels, the last an empty array",
        "licence/malformed",
        start=compact(jcs(header(TRUST, WORKING.kid)), empty, WORKING),
    )


def _trust_keys(c: Lines) -> None:
    for name, raw in BAD_KEYS.items():
        key = RawKey(raw)
        c.add(f"reserve root: {name}", "trust/claims", start=trust(1, roots=(WORKING, key)))
        own = trust(1, key, issuer=publisher_id(key), roots=(key, RESERVE))
        c.add(f"working root that signs itself: {name}", "trust/claims", start=own)
        for role, index in (("catalogue", None), ("grant", 9), ("reports", None)):
            keys = [*USUAL_KEYS, working_key(key, role, index)]
            c.add(f"key of role {role}: {name}", "trust/claims", [trust(2, keys=keys)])
    for name, raw in GOOD_KEYS.items():
        keys = [*USUAL_KEYS, working_key(RawKey(raw), "grant", 9)]
        c.add(f"grant key {name}", 2, [trust(2, keys=keys)])
    for way, result in (
        ("both", 1),
        ("cofactor", "trust/signature"),
        ("neutral R", "trust/signature"),
        ("R above the prime", "trust/signature"),
        ("R of order 2", "trust/signature"),
        ("R and more", "trust/signature"),
    ):
        for order, key in odd_keys("root", way):
            start = trust(1, key, issuer=publisher_id(key), roots=(key, RESERVE))
            c.add(
                f"working root {order}, {way}",
                result,
                start=start,
            )


Add = Callable[..., None]


def catalogue_cases(add: Add) -> None:
    """Bounds, grammars, laws and the order of errors of catalogues."""
    spans = product()["spans"]
    for member, least in (
        ("lease", 1),
        ("renew_after", 1),
        ("retry_after", 1),
        ("initial_grace", 0),
        ("tolerance_grace", 0),
    ):
        for value, good in ((least, True), (SPAN, True), (least - 1, False), (SPAN + 1, False)):
            if value < 0:
                continue
            text = catalogue(muster={"products": [product(spans={**spans, member: value})]})
            add(f"catalogue with a {member} of {value}", 1 if good else "catalogue/claims", text)
    for need, good in ((1, True), (SPAN, True), (SPAN + 1, False)):
        text = catalogue(muster={"products": [product(need=need)]})
        add(f"catalogue with a need of {need}", 1 if good else "catalogue/claims", text)
    for longest, good in ((1, True), (SPAN, True), (0, False), (SPAN + 1, False)):
        records = [{**DESKTOP, "max_lease": longest}]
        text = catalogue(muster={"groups": records, "products": [product()]})
        add(f"catalogue with a max_lease of {longest}", 1 if good else "catalogue/claims", text)
    good_features: dict[str, list[str]] = {
        "no feature": [],
        "256 features": [f"f{number}" for number in range(256)],
        "features in any order": ["b", "a"],
        "a feature of 64 characters": ["f" * 64],
        "a feature with dots and dashes": ["a.-0"],
    }
    bad_features: dict[str, Any] = {
        "a feature of 65 characters": ["f" * 65],
        "a feature of no character": [""],
        "a feature in capitals": ["Bitlock"],
        "a feature with an underscore": ["bit_lock"],
        "a feature with a line end": ["bitlock\n"],
        "a feature that is a number": [1],
        "features that are a text": "bitlock",
        "features that are null": None,
        "the first and the last feature the same": ["a", "b", "a"],
    }
    for name, features in good_features.items():
        add(
            f"catalogue with {name}",
            1,
            catalogue(muster={"products": [product(features=features)]}),
        )
    for name, features in bad_features.items():
        text = catalogue(muster={"products": [product(features=features)]})
        add(f"catalogue with {name}", "catalogue/claims", text)
    modes = ["explicit", "node", "device", "machine"]
    add(
        "catalogue with all identity modes",
        1,
        catalogue(muster={"products": [product(identity=modes)]}),
    )
    twice = catalogue(muster={"products": [product(identity=["node", "node"])]})
    add("catalogue with an identity mode twice", "catalogue/claims", twice)
    _setup_keys(add)
    _catalogue_order(add)
    _catalogue_names(add)
    levels = catalogue_payload()
    head = jcs(header(CATALOGUE, CATALOGUE_A.kid))
    for name, inside, wanted in (
        ("eight levels, the last an empty object", "[[[[[[{}]]]]]]", 1),
        ("nine levels, the last an empty array", "[[[[[[[[]]]]]]]]", "licence/malformed"),
    ):
        add(
            f"catalogue of {name}",
            wanted,
            compact(head, appended(levels, f'"x":{inside}'), CATALOGUE_A),
        )
    unlisted = [{"source": "a", "target": "b", "rule": "allowed", "way": ""}]
    add(
        "catalogue with a conversion of unlisted products",
        1,
        catalogue(muster={"conversions": unlisted}),
    )
    withdrawn = [{"source": "a", "target": "b", "rule": "refused", "way": "", "until": 0}]
    add(
        "catalogue with a conversion that was withdrawn",
        1,
        catalogue(muster={"conversions": withdrawn}),
    )
    wide = [group(7, "desktop-7", ["desktop-7", "not-listed"])]
    add(
        "catalogue with covers that are not listed",
        1,
        catalogue(muster={"groups": wide, "products": [product()]}),
    )


def _setup_keys(add: Add) -> None:
    def with_key(name: str, result: int | str, *keys: str) -> None:
        products = [product(id=f"product-{n}", setup_key=key) for n, key in enumerate(keys)]
        add(f"catalogue with {name}", result, catalogue(muster={"products": products}))

    first = product_key(CONTOSO, 2, 7, 0x2B5A17C0FFEE42, 31415)
    second = product_key(CONTOSO, 2, 7, 0x2B5A17C0FFEE42, 31416)
    forged = product_key(CONTOSO, 2, 7, 0x1B5A17C0FFEE42, 31415)
    with_key("two setup keys", 1, first, second)
    with_key("one setup key of two products", "catalogue/claims", first, second, first)
    with_key("two setup keys of one key id", "catalogue/claims", first, forged)
    with_key("products without setup keys", 1, "", "", first)
    with_key("a setup key of another group", 1, product_key(CONTOSO, 2, 1023, 5, 5))
    with_key("a setup key of another publisher", 1, product_key(FABRIKAM, 2, 7, 5, 5))
    with_key("a setup key without dashes", "catalogue/claims", first.replace("-", ""))
    with_key(
        "a setup key with typographic dashes", "catalogue/claims", first.replace("-", "\u2013")
    )
    with_key("a setup key and a space", "catalogue/claims", f"{first} ")
    for kind in (1, 3, 4):
        with_key(
            f"a key of kind {kind} as setup key",
            "catalogue/claims",
            product_key(CONTOSO, kind, 7, 5, 5),
        )


def _catalogue_order(add: Add) -> None:
    def order(name: str, result: str, text: str) -> None:
        add(f"order of a catalogue: {name}", result, text)

    bad = {"groups": None}
    signer, claims = "catalogue/signer", "catalogue/claims"
    order(
        "header before signer",
        "licence/header",
        compact(jcs(header(TRUST, STRANGER.kid)), jcs(catalogue_payload()), STRANGER),
    )
    order("no iat", signer, catalogue(claims={"iat": None}))
    order("iat a text", signer, catalogue(claims={"iat": "now"}))
    order("signer before version", signer, catalogue(signer=STRANGER, muster={"v": 2}))
    order("no muster before iss", claims, catalogue(issuer=FABRIKAM, claims={"muster": None}))
    order("no v before iss", claims, catalogue(issuer=FABRIKAM, muster={"v": None}))
    order(
        "version before a missing iss",
        "licence/version",
        catalogue(muster={"v": 2}, claims={"iss": None}),
    )
    order(
        "version before publisher", "licence/version", catalogue(issuer=FABRIKAM, muster={"v": 2})
    )
    order("version before claims", "licence/version", catalogue(muster={"v": 2, **bad}))
    order("no iss before other claims", claims, catalogue(muster=bad, claims={"iss": None}))
    order("iss outside its grammar", claims, catalogue(issuer=FABRIKAM.upper()))
    order("iss a number", claims, catalogue(claims={"iss": 1}))
    order("publisher before claims", "catalogue/publisher", catalogue(issuer=FABRIKAM, muster=bad))


def _catalogue_names(add: Add) -> None:
    for name, character in UNSEEN.items():
        text = f"a{character}b"
        for where, muster in {
            "a product's name": {"products": [product(name=text)]},
            "an edition": {"products": [product(edition=text)]},
            "an application's name": {
                "applications": [{"id": "desktop", "name": text}],
                "products": [product()],
            },
            "a way": {
                "conversions": [{"source": "a", "target": "b", "rule": "refused", "way": text}]
            },
        }.items():
            add(f"catalogue with {name} in {where}", "catalogue/claims", catalogue(muster=muster))
    for edition in (" ", "a ", "\u3000b"):
        text = catalogue(muster={"products": [product(edition=edition)]})
        add(f"catalogue with the edition {edition!r}", "catalogue/claims", text)


def licence_cases(c: Cases) -> None:
    """Signers, bounds, codes of notices, and the order of errors within a step."""
    _signers(c)
    _within_steps(c)
    _codes(c)
    for longest, good in ((1, False), (SPAN, True), (SPAN + 1, False), (0, False)):
        case: JSON = {} if good else {"step": 8 if longest == 1 else 5}
        c.lease(
            f"lease under a max_lease of {longest}",
            granted=grant(muster={"max_lease": longest}),
            **case,
        )
    c.lease(
        "lease of the highest numbers",
        None,
        dict.fromkeys(("count", "need", "catalogue", "trust"), INTEGER),
    )
    c.lease("lease of the lowest numbers", None, dict.fromkeys(("need", "catalogue", "trust"), 0))
    for member in ("renew_after", "retry_after"):
        c.lease(f"lease with a {member} of 2^31", None, {member: SPAN + 1}, step=5)
        c.lease(f"lease with a {member} of 0", None, {member: 0}, step=5)
    for serial, step in ((24**5 - 1, None), (24**5, None), (2**24 - 1, None), (2**24, 4)):
        c.add(
            f"activation of serial {serial}",
            jcs(
                {
                    "v": 1,
                    "grant": mak(f"1-7-{serial}")
                    if step is None
                    else mak(muster={"key": f"1-7-{serial}"}),
                }
            ),
            kind="activation",
            step=step,
        )
    payload = lease_payload()
    head = jcs(header(LEASE, HOST.kid))
    for name, value, step in (
        ("four levels, the last an empty object", "[[{}]]", None),
        ("five levels, the last an empty array", "[[[[]]]]", 1),
    ):
        c.add(
            f"lease of {name}",
            bundle(compact(head, appended(payload, f'"x":{value}'), HOST)),
            step=step,
        )


def _signers(c: Cases) -> None:
    def by(name: str, key: Key, kind: str = "lease", **case: Any) -> None:
        main = lease_payload if kind == "lease" else notice_payload
        text = signed(LEASE if kind == "lease" else NOTICE, main({"iss": key.kid}), key)
        make = bundle if kind == "lease" else notice_bundle
        c.add(f"{kind} by {name}", make(text, grant(host=key), signer=key.jwk), kind=kind, **case)

    for name, raw in BAD_KEYS.items():
        for kind in ("lease", "notice"):
            # Without this check the signature of whoever likes would hold.
            alone = name in ("order 1", "order 2", "order 4", "order 8", "order 8, the third")
            by(f"a signer of {name}", RawKey(raw), kind, step=1, alone=alone)
    for way, step in (
        ("both", None),
        ("cofactor", 4),
        ("neutral R", 4),
        ("R above the prime", 4),
        ("R of order 2", 4),
        ("R and more", 4),
    ):
        for order, key in odd_keys("host", way):
            by(f"a signer {order}, {way}", key, step=step)
    for name, signer in {
        "with use": {**HOST.jwk, "use": "sig"},
        "without kty": {"crv": "Ed25519", "x": HOST.jwk["x"]},
        "of another curve": {**HOST.jwk, "crv": "X25519"},
        "that is a text": HOST.jwk["x"],
        "that is an array": [HOST.jwk],
        "of 31 bytes": {**HOST.jwk, "x": HOST.jwk["x"][:-2]},
    }.items():
        c.add(
            f"lease with a signer {name}",
            bundle(signed(LEASE, lease_payload()), signer=signer),
            step=1,
        )


def _within_steps(c: Cases) -> None:
    version = "licence/version"
    good = signed(LEASE, lease_payload())
    c.add("order: a bundle of a later v without its members", jcs({"v": 2}), step=1, code=version)
    c.add(
        "order: a bundle of a later v with a bad signer",
        bundle(good, v=2, signer="x"),
        step=1,
        code=version,
    )
    c.add(
        "order: a bundle of a later v with a cut lease",
        bundle(good[:-2], v=2),
        step=1,
        code=version,
    )
    c.add("order: a bundle without v with a bad signer", bundle(good, v=None, signer="x"), step=1)
    later = {"v": 2}
    c.lease(
        "order: lease claims wrong, grant of a later v",
        None,
        {"count": "x"},
        granted=grant(muster=later),
        step=5,
        code=version,
    )
    c.lease(
        "order: lease of a later v, grant claims wrong",
        None,
        later,
        granted=grant(muster={"hw": "x"}),
        step=5,
        code=version,
    )
    c.lease(
        "order: lease without v, grant of a later v",
        None,
        {"v": None},
        granted=grant(muster=later),
        step=5,
    )
    c.lease(
        "order: lease of a later v, grant without v",
        None,
        later,
        granted=grant(muster={"v": None}),
        step=5,
        code=version,
    )
    c.notice(
        "order: notice claims wrong, grant of a later v",
        None,
        {"code": "x"},
        granted=grant(muster=later),
        step=5,
        code=version,
    )
    c.lease(
        "order: grant of a later typ and no signature",
        granted=grant(head={"typ": "x"}, signer=STRANGER),
        step=3,
    )
    for member in ("iat", "iss"):
        c.lease(f"grant without {member}", granted=grant(claims={member: None}), step=3)
    c.lease("grant without muster.kind", granted=grant(muster={"kind": None}), step=3)
    for member in ("key", "binding"):
        c.lease(
            f"order: grant without muster.{member}", granted=grant(muster={member: None}), step=4
        )
    c.lease("order: grant without muster.covers", granted=grant(muster={"covers": None}), step=5)
    c.lease("order: lease without iss", {"iss": None}, step=4)
    c.add(
        "order: activation of a later v with other claims",
        jcs({"v": 1, "grant": mak(muster={"v": 2, "covers": None})}),
        kind="activation",
        step=4,
        code=version,
    )


def _codes(c: Cases) -> None:
    for code in ("host/duplicate-cmid", "a/b", "-/-", f"{'a' * 32}/{'9' * 32}", "host/revoked"):
        c.notice(f"notice of the code {code}", None, {"code": code})
    for name, wrong in {
        "without a slash": "duplicate-cmid",
        "with two slashes": "host/duplicate/cmid",
        "without an area": "/duplicate-cmid",
        "without a name": "host/",
        "in capitals": "host/Duplicate-CMID",
        "with an underscore": "host/duplicate_cmid",
        "of an area of 33": f"{'a' * 33}/b",
        "of a name of 33": f"a/{'b' * 33}",
        "with a line end": "host/duplicate-cmid\n",
        "that is empty": "",
        "that is an array": ["host/duplicate-cmid"],
    }.items():
        c.notice(f"notice of a code {name}", None, {"code": wrong}, step=5)
