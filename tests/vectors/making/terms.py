"""terms.json: terms under the trust at the end of a line, for a host's own grant (section 2.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.vectors.making.bounds import UNSEEN
from tests.vectors.making.cases import appended, grant
from tests.vectors.making.points import OddKey
from tests.vectors.making.signing import (
    DAY,
    JSON,
    Key,
    compact,
    header,
    instant,
    jcs,
    token,
    without_none,
)
from tests.vectors.making.worlds import (
    CATALOGUE_A,
    CONTOSO,
    FABRIKAM,
    GRANT_0,
    GRANT_1,
    HOST,
    HOST_JTI,
    MAK_JTI,
    RESERVE,
    RETIRED_ON,
    START,
    STRANGER,
    TRUST_1,
    TRUST_2,
    TRUST_3,
    WORKING,
    trust,
    working_key,
)

TERMS = "muster-terms+jwt"
GRANT_AGAIN = grant(signer=GRANT_1)
"""The host's grant, signed again by the key that follows."""


def terms_payload(
    claims: Mapping[str, Any] | None = None, muster: Mapping[str, Any] | None = None
) -> JSON:
    """The payload of the good terms, changed; None leaves a member out."""
    inner = {
        "v": 1,
        "version": 1,
        "limit": 500,
        "over": "refuse",
        "customer": "Adatum AG",
        "agreement": "2026/17",
        **(muster or {}),
    }
    payload = {
        "iss": CONTOSO,
        "aud": f"{CONTOSO}/desktop-7",
        "sub": HOST_JTI,
        "iat": instant(305),
        "muster": without_none(inner),
    }
    return without_none({**payload, **(claims or {})})


def raw_terms(payload: str, signer: Key = GRANT_0, by: Key | None = None, **head: Any) -> str:
    """Terms over a raw text."""
    return compact(jcs(header(TERMS, signer.kid, **head)), payload, by or signer)


def make(
    claims: Mapping[str, Any] | None = None,
    muster: Mapping[str, Any] | None = None,
    signer: Key = GRANT_0,
    **more: Any,
) -> str:
    """Signed terms."""
    return raw_terms(jcs(terms_payload(claims, muster)), signer, **more)


def terms() -> JSON:
    """The content of terms.json."""
    cases: list[JSON] = []

    def add(
        name: str,
        result: int | str,
        text: str,
        line: Sequence[str] = (),
        *,
        held: str | None = None,
        start: str = TRUST_1,
        granted: str | None = None,
    ) -> None:
        cases.append(
            {
                "name": f"terms {name}",
                "anchor": start,
                "line": list(line),
                "grant": granted or grant(),
                "held": held,
                "terms": text,
                "result": result,
            }
        )

    add("as they are", 1, make())
    for over in ("refuse", "report"):
        add(f"that {over}", 1, make(muster={"over": over}))
    for limit in (0, 1, 2**53 - 1):
        add(f"of a limit of {limit}", 1, make(muster={"limit": limit}))
    for longest in (86_400, 2**31 - 1):
        add(f"of a max_lease of {longest}", 1, make(muster={"max_lease": longest}))
    add("of the last version", 2**53 - 1, make(muster={"version": 2**53 - 1}))
    add("without names", 1, make(muster={"customer": "", "agreement": ""}))
    add("of other names", 1, make(muster={"customer": "株式会社 🜁", "agreement": "a" * 200}))
    add("with unknown claims", 1, make({"exp": 1, "x": None}, {"y": [1]}))
    add("with alg Ed25519", 1, make(alg="Ed25519"))
    add("that are not canonical", 1, raw_terms(f" {jcs(terms_payload())}\n"))
    last = instant(RETIRED_ON + 1) - 1
    add("of the last second of their key", 1, make({"iat": last}), [TRUST_2])
    add("of the key that follows", 1, make(signer=GRANT_1), [TRUST_2])
    add(
        "of the key that follows, after a withdrawal",
        1,
        make(signer=GRANT_1),
        [TRUST_2, TRUST_3],
        granted=GRANT_AGAIN,
    )
    for member in ("x", "muster"):
        add(
            f"of four levels in {member}",
            1,
            raw_terms(appended(terms_payload(), '"x":[[{}]]'))
            if member == "x"
            else make(muster={"x": [{}]}),
        )
    _malformed(add)
    _signers(add, last)
    _claims(add)
    _grants(add)
    _held(add)
    return {"cases": cases}


def _malformed(add: Any) -> None:
    text = jcs(terms_payload())
    for name, value in {
        "with a duplicate member": text.replace('"limit":500', '"limit":500,"limit":900'),
        "with a fraction": text.replace('"limit":500', '"limit":500.5'),
        "with a negative limit": text.replace('"limit":500', '"limit":-1'),
        "with a limit of 2^53": text.replace('"limit":500', f'"limit":{2**53}'),
        "of five levels": appended(terms_payload(), '"x":[[[[]]]]'),
        "of 17 items": appended(terms_payload(), '"x":[' + "0," * 16 + "0]"),
        "of 65 members": appended(terms_payload(), ",".join(f'"m{n}":0' for n in range(60))),
        "of 8193 bytes": text + " " * (8193 - len(text.encode())),
        "that are an array": "[]",
    }.items():
        add(name, "licence/malformed", raw_terms(value))
    add("of 8192 bytes", 1, raw_terms(text + " " * (8192 - len(text.encode()))))
    add("cut short", "licence/malformed", make()[:-1])
    add("of two parts", "licence/malformed", make().rpartition(".")[0])
    heads: dict[str, JSON] = {
        "with the typ of a grant": {"typ": "muster-grant+jwt"},
        "with alg none": {"alg": "none"},
        "with crit": {"crit": []},
        "without typ": {"typ": None},
    }
    for name, head in heads.items():
        add(name, "licence/header", make(**head))
    add("order: header before signer", "licence/header", make(signer=STRANGER, typ="x"))


def _signers(add: Any, last: int) -> None:
    signer = "terms/signer"
    for name, key in (
        ("a stranger", STRANGER),
        ("a catalogue key", CATALOGUE_A),
        ("the working root", WORKING),
        ("the host", HOST),
    ):
        add(f"by {name}", signer, make(signer=key))
    add("by a stranger under the good kid", signer, make(by=STRANGER))
    add(
        "changed after signing",
        signer,
        make(muster={"limit": 900}).rpartition(".")[0] + "." + make().rpartition(".")[2],
    )
    add("a second after their key was retired", signer, make({"iat": last + 1}), [TRUST_2])
    add("by a withdrawn key", signer, make(), [TRUST_2, TRUST_3], granted=GRANT_AGAIN)
    add("by the key that follows, under the old trust", signer, make(signer=GRANT_1))
    add("without iat", signer, make({"iat": None}))
    add("of an iat that is a text", signer, make({"iat": "now"}))
    add("order: signer before version", signer, make(muster={"v": 2}, signer=STRANGER))
    for way in ("cofactor", "neutral R", "R above the prime", "R and more"):
        key = OddKey("grant", way, mixed=way == "cofactor")
        start = trust(1, keys=[working_key(GRANT_0, "grant", 0), working_key(key, "grant", 1)])
        add(f"of an odd signature, {way}", signer, make(signer=key), start=start)
    key = OddKey("grant", "both", mixed=True)
    start = trust(1, keys=[working_key(GRANT_0, "grant", 0), working_key(key, "grant", 1)])
    add("by a key of mixed order", 1, make(signer=key), start=start)


def _claims(add: Any) -> None:
    version = "licence/version"
    add("of a later v", version, make(muster={"v": 2}))
    add("of a later v and of another grant", version, make({"sub": MAK_JTI}, {"v": 2}))
    add("order: version before claims", version, make({"aud": 1}, {"v": 2, "limit": None}))
    wrong: dict[str, tuple[JSON, JSON]] = {
        "without v": ({}, {"v": None}),
        "of v 0": ({}, {"v": 0}),
        "without muster": ({"muster": None}, {}),
        "whose muster is a text": ({"muster": "x"}, {}),
        "without iss": ({"iss": None}, {}),
        "of an iss in capitals": ({"iss": CONTOSO.upper()}, {}),
        "without aud": ({"aud": None}, {}),
        "of an aud without a group": ({"aud": CONTOSO}, {}),
        "of an aud of another publisher": ({"aud": f"{FABRIKAM}/desktop-7"}, {}),
        "without sub": ({"sub": None}, {}),
        "of a cut sub": ({"sub": HOST_JTI[:-1]}, {}),
        "of a sub with unused bits": ({"sub": f"{HOST_JTI[:-1]}B"}, {}),
        "without version": ({}, {"version": None}),
        "of version 0": ({}, {"version": 0}),
        "without limit": ({}, {"limit": None}),
        "of a limit that is a text": ({}, {"limit": "500"}),
        "of a limit that is true": ({}, {"limit": True}),
        "of a max_lease below a day": ({}, {"max_lease": 86_399}),
        "of a max_lease of 2^31": ({}, {"max_lease": 2**31}),
        "of a max_lease that is a text": ({}, {"max_lease": "86400"}),
        "without over": ({}, {"over": None}),
        "of an unknown over": ({}, {"over": "allow"}),
        "without customer": ({}, {"customer": None}),
        "without agreement": ({}, {"agreement": None}),
        "of a customer of 201": ({}, {"customer": "a" * 201}),
        "of a customer that is a space": ({}, {"customer": " "}),
        "of an agreement with a line end": ({}, {"agreement": "a\nb"}),
    }
    for name, (claims, muster) in wrong.items():
        add(name, "terms/claims", make(claims, muster))
    for name, character in UNSEEN.items():
        add(
            f"of a customer with {name}",
            "terms/claims",
            make(muster={"customer": f"a{character}b"}),
        )
        add(
            f"of an agreement with {name}",
            "terms/claims",
            make(muster={"agreement": f"a{character}b"}),
        )


def _grants(add: Any) -> None:
    other = "terms/grant"
    add("of another grant", other, make({"sub": MAK_JTI}))
    add("of no grant", other, make({"sub": token("nobody")}))
    add("of another group", other, make({"aud": f"{CONTOSO}/desktop-8"}))
    add("of another publisher", other, make({"iss": FABRIKAM, "aud": f"{FABRIKAM}/desktop-7"}))
    add("order: claims before grant", "terms/claims", make({"sub": MAK_JTI}, {"limit": None}))


def _held(add: Any) -> None:
    second, third = make(muster={"version": 2}), make(muster={"version": 3})
    add("that are newer", 3, third, held=second)
    future = make({"iat": START + 5_000 * DAY}, {"version": 2})
    add("that are newer than those of the future", 3, third, held=future)
    add("that are held", 2, second, held=second)
    add("that are older", "terms/older", make(), held=second)
    add("of the version held", "terms/older", make(muster={"version": 2, "limit": 1}), held=second)
    add("that are older and of another grant", "terms/grant", make({"sub": MAK_JTI}), held=second)
    add("that are older and of a later v", "licence/version", make(muster={"v": 2}), held=second)
    # Held terms count only while trust lets their key sign on that day.
    again = make(signer=GRANT_1)
    add("that are older than those of a retired key", "terms/older", again, [TRUST_2], held=second)
    add(
        "after the key of those held was withdrawn",
        1,
        again,
        [TRUST_2, TRUST_3],
        held=second,
        granted=GRANT_AGAIN,
    )
    late = make({"iat": instant(RETIRED_ON + 1)}, {"version": 9})
    add("after the key of those held was retired before them", 1, again, [TRUST_2], held=late)
    gone = [trust(40, RESERVE, keys=[working_key(GRANT_1, "grant", 1)])]
    add(
        "that are held, by a key that was withdrawn",
        "terms/signer",
        second,
        gone,
        held=second,
        granted=GRANT_AGAIN,
    )
