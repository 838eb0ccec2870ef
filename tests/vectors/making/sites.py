"""sites.json: site files under the trust at the end of a line (docs/spec/15-site-files.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.vectors.making.cases import appended, changed, grant, loosened, signed
from tests.vectors.making.signing import (
    DAY,
    JSON,
    Key,
    b64,
    compact,
    header,
    instant,
    jcs,
    token,
    without_none,
)
from tests.vectors.making.worlds import (
    CATALOGUE_B,
    CONTOSO,
    FABRIKAM,
    GRANT_1,
    GRANT_DAY,
    HOST,
    HOST_JTI,
    HOST_KEY,
    LEASED,
    NOW,
    OTHER_HOST,
    REVOKED_ON,
    STRANGER,
    TRUST_1,
    TRUST_2,
    TRUST_3,
    WORKING,
    catalogue,
    trust,
)

SITE = "muster-site+jwt"
LATER = instant(GRANT_DAY + 40)
"""After the day on which a grant of the key that follows is signed here."""
CERTIFICATE = b64(b"\x30\x82\x01\x0a" + b"certificate" * 24)


def host(**changes: Any) -> JSON:
    """A host of the good site, changed."""
    plain = {"host": "muster.corp.example", "port": 16880, "priority": 0, "weight": 0, "tls": False}
    return without_none({**plain, **changes})


def site_payload(
    claims: Mapping[str, Any] | None = None, muster: Mapping[str, Any] | None = None
) -> JSON:
    """The payload of the good site, changed; None leaves a member out."""
    payload: JSON = {
        "iss": HOST.kid,
        "aud": CONTOSO,
        "iat": LEASED,
        "exp": LEASED + 730 * DAY,
        "muster": {
            "v": 1,
            "hosts": [host(), host(host="192.0.2.7", port=443, tls=True)],
            "suffixes": ["corp.example"],
            "ca": [CERTIFICATE],
        },
    }
    return changed(payload, claims or {}, muster or {})


def site(
    claims: Mapping[str, Any] | None = None,
    muster: Mapping[str, Any] | None = None,
    *,
    key: Key = HOST,
    head: Mapping[str, Any] | None = None,
) -> str:
    """A signed site."""
    return signed(SITE, site_payload(claims, muster), key, head)


def raw_site(payload: str) -> str:
    """A site by the good host over a raw text."""
    return compact(jcs(header(SITE, HOST.kid)), payload, HOST)


def part(text: str | None = None, granted: str | None = None, **changes: Any) -> JSON:
    """A part of a site file; a change to None leaves the member out."""
    members = {
        "publisher": CONTOSO,
        "site": text or site(),
        "grant": granted or grant(),
        "signer": HOST.jwk,
        "trust": [],
    }
    return without_none({**members, **changes})


def file(*parts: JSON, **changes: Any) -> str:
    """A site file of these parts, by default of the good one."""
    members = {"v": 1, "file": "muster-site", "sites": list(parts) or [part()]}
    return jcs(without_none({**members, **changes}))


def _loosened(text: str) -> str:
    head, _, signature = text.rpartition(".")
    return f"{head}.{loosened(signature)}"


GOOD = ["muster.corp.example:16880", "192.0.2.7:443 tls"]


class Cases:
    """Collects cases; names are unique."""

    def __init__(self) -> None:
        self.cases: list[JSON] = []

    def add(
        self,
        name: str,
        text: str,
        step: int | None = None,
        code: str | None = None,
        *,
        hosts: Sequence[str] | None = None,
        line: Sequence[str] = (),
        held: str | None = None,
        now: int = NOW,
        anchor: str = TRUST_1,
    ) -> None:
        """Add one case: good, with the hosts that it names, or refused by a step; 0 is the reading
        of the file as a whole."""
        case: JSON = {
            "name": name,
            "anchor": anchor,
            "line": list(line),
            "catalogue": held,
            "now": now,
            "file": text,
            "result": "ok" if code is None else f"licence/{code}",
            "step": step,
        }
        if code is None:
            case["hosts"] = GOOD if hosts is None else list(hosts)
        self.cases.append(case)


def sites() -> JSON:
    """The content of sites.json."""
    c = Cases()
    _good(c)
    _files(c)
    _steps(c)
    _claims(c)
    _dates(c)
    _trust(c)
    if len({case["name"] for case in c.cases}) != len(c.cases):
        raise ValueError("a name stands twice")
    return {"cases": c.cases}


def _good(c: Cases) -> None:
    c.add("site as it is", file())
    c.add("site with alg Ed25519", file(part(site(head={"alg": "Ed25519"}))))
    c.add("site that is not canonical", f" {file()}\n")
    c.add("site for another publisher", file(part(publisher=FABRIKAM)), hosts=[])
    other = part(publisher=FABRIKAM, site="a.b.c")
    c.add("site beside a part of another publisher that is none", file(other, part()))
    c.add(
        "site with unknown members",
        file(part(site({"nbf": 1}, {"x": [1]}), x={}), x=1),
    )
    least = {"hosts": [host(port=1)], "suffixes": [], "ca": []}
    c.add("site of the least", file(part(site(muster=least))), hosts=["muster.corp.example:1"])
    many = [host(host=f"h{n}", port=65_535, priority=65_535, weight=n) for n in range(16)]
    c.add(
        "site of the most",
        file(
            part(
                site(
                    muster={
                        "hosts": many,
                        "suffixes": [f"s{n}.example" for n in range(32)],
                        "ca": [b64(bytes([n]) * 1024) for n in range(16)],
                    }
                )
            )
        ),
        hosts=[f"h{n}:65535" for n in range(16)],
    )
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    for name in ("::1", "2001:db8::7", "::ffff:192.0.2.7", "_x.a-b.c", "1", longest):
        c.add(
            f"site of the host {name[:16]}",
            file(part(site(muster={"hosts": [host(host=name)]}))),
            hosts=[f"[{name}]:16880" if ":" in name else f"{name}:16880"],
        )
    c.add(
        "site of one name at two ports",
        file(part(site(muster={"hosts": [host(), host(port=16881)]}))),
        hosts=["muster.corp.example:16880", "muster.corp.example:16881"],
    )
    c.add("site of the largest certificate", file(part(site(muster={"ca": [b64(bytes(4096))]}))))
    padded = jcs(site_payload())
    c.add("site of 65536 bytes", file(part(raw_site(padded + " " * (65536 - len(padded))))))


def _files(c: Cases) -> None:
    bad: dict[str, str] = {
        "empty": "",
        "an array": "[]",
        "cut": file()[:-1],
        "of a duplicate member": file()[:-1] + ',"v":1}',
        "without v": file(v=None),
        "of v 0": file(v=0),
        "without its kind": file(file=None),
        "of another kind": file(file="muster-publisher"),
        "without parts": file(sites=[]),
        "whose parts are an object": file(sites={}),
        "of two parts of one publisher": file(part(), part()),
        "of 17 parts": file(*(part(publisher=f"{'a' * 15}{c}") for c in "abcdefghijklmnopq")),
        "of a part that is a text": file(sites=["x"]),
        "without publisher": file(part(publisher=None)),
        "of a publisher in capitals": file(part(publisher=CONTOSO.upper())),
        "without site": file(part(site=None)),
        "of a site of two parts": file(part("a.b")),
        "of a site with a line end": file(part(f"{site()}\n")),
        "without grant": file(part(grant=None)),
        "without signer": file(part(signer=None)),
        "of a signer with a private part": file(part(signer={**HOST.jwk, "d": "x"})),
        "of a signer of small order": file(part(signer={**HOST.jwk, "x": b64(bytes(32))})),
        "without trust": file(part(trust=None)),
        "of a trust that is a text": file(part(trust=TRUST_2)),
        "of 17 trust objects": file(part(trust=[TRUST_2] * 17)),
        "of a trust object that is none": file(part(trust=["x"])),
        "of five levels": file(part(x={"y": []})),
        "of 513 members": file(part(), **{f"m{n}": 0 for n in range(502)}),
        "of 65 items": file(part(), x=[0] * 65),
        "of a fraction": file(x=1.5),
        "behind a mark": "\ufeff" + file(),
    }
    for name, text in bad.items():
        c.add(f"file {name}", text, 0, "malformed")
    c.add("file of a later v", file(v=2), 0, "version")
    c.add("file of a later v and of another kind", file(v=2, file=1, sites=None), 0, "version")


def _steps(c: Cases) -> None:
    text = jcs(site_payload())
    for name, value in {
        "of a duplicate member": text.replace('"iat":', '"iat":0,"iat":'),
        "of a fraction": text.replace('"port":443', '"port":443.0'),
        "of five levels": appended(site_payload(), '"x":[[[[]]]]'),
        "of 65 items": appended(site_payload(), '"x":[' + "0," * 64 + "0]"),
        "of 513 members": appended(site_payload(), ",".join(f'"m{n}":0' for n in range(498))),
        "of 65537 bytes": text + " " * (65_537 - len(text)),
        "that is an array": "[]",
    }.items():
        c.add(f"S1: site {name}", file(part(raw_site(value))), 1, "malformed")
    c.add("S1: site cut", file(part(site()[:-1])), 1, "malformed")
    c.add("S1: site with unused bits", file(part(_loosened(site()))), 1, "malformed")
    c.add("S1: grant cut", file(part(granted=grant()[:-1])), 1, "malformed")
    heads: dict[str, JSON] = {
        "the typ of a lease": {"typ": "muster-lease+jwt"},
        "alg none": {"alg": "none"},
        "crit": {"crit": []},
        "a jwk": {"jwk": HOST.jwk},
    }
    for name, head in heads.items():
        c.add(f"S2: site with {name}", file(part(site(head=head))), 2, "header")
    c.add("S2: grant with crit", file(part(granted=grant(head={"crit": []}))), 2, "header")
    c.add("S2 before S3", file(part(site(head={"typ": "x"}), grant(signer=STRANGER))), 2, "header")
    for name, granted in {
        "of a stranger": grant(signer=STRANGER),
        "of the working root": grant(signer=WORKING),
        "of another kind": grant("mak", "1-7-7654321"),
        "of another publisher": grant(publisher=FABRIKAM),
        "that is a site": site(),
    }.items():
        c.add(f"S3: grant {name}", file(part(granted=granted)), 3, "grant")
    signers: dict[str, JSON] = {
        "of another host": {"signer": OTHER_HOST.jwk},
        "of another host that signed": {
            "signer": OTHER_HOST.jwk,
            "text": site({"iss": OTHER_HOST.kid}, key=OTHER_HOST),
        },
        "of a stranger under the good kid": {
            "text": compact(jcs(header(SITE, HOST.kid)), jcs(site_payload()), STRANGER)
        },
        "with iss of another": {"text": site({"iss": OTHER_HOST.kid})},
        "with kid of another": {"text": site(head={"kid": OTHER_HOST.kid})},
        "changed after signing": {
            "text": site(muster={"suffixes": []}).rpartition(".")[0]
            + "."
            + site().rpartition(".")[2]
        },
        "bound to another host": {"granted": grant(host=OTHER_HOST)},
    }
    for name, changes in signers.items():
        c.add(f"S4: signature {name}", file(part(**changes)), 4, "signer")
    c.add("S5: site of a later v", file(part(site({"aud": 1}, {"v": 2}))), 5, "version")
    later = grant(muster={"v": 2})
    c.add("S5: grant of a later v", file(part(site({"aud": 1}), later)), 5, "version")
    c.add("S6: of another publisher", file(part(site({"aud": FABRIKAM}))), 6, "audience")


def _claims(c: Cases) -> None:
    wrong: dict[str, tuple[JSON, JSON]] = {
        "without aud": ({"aud": None}, {}),
        "of an aud with a product": ({"aud": f"{CONTOSO}/desktop-7"}, {}),
        "without iat": ({"iat": None}, {}),
        "of an iat that is a text": ({"iat": "1"}, {}),
        "without exp": ({"exp": None}, {}),
        "of an exp that is true": ({"exp": True}, {}),
        "without v": ({}, {"v": None}),
        "of v 0": ({}, {"v": 0}),
        "without hosts": ({}, {"hosts": None}),
        "of no hosts": ({}, {"hosts": []}),
        "of hosts that are an object": ({}, {"hosts": {}}),
        "of a host that is a text": ({}, {"hosts": ["muster.corp.example"]}),
        "of 17 hosts": ({}, {"hosts": [host(port=n + 1) for n in range(17)]}),
        "of a host twice": ({}, {"hosts": [host(), host(priority=1)]}),
        "without suffixes": ({}, {"suffixes": None}),
        "of a suffix in capitals": ({}, {"suffixes": ["Corp.example"]}),
        "of a suffix with a last dot": ({}, {"suffixes": ["corp.example."]}),
        "of a suffix twice": ({}, {"suffixes": ["a.b", "a.b"]}),
        "of an empty suffix": ({}, {"suffixes": [""]}),
        "of 33 suffixes": ({}, {"suffixes": [f"s{n}" for n in range(33)]}),
        "of a suffix of 254": ({}, {"suffixes": [".".join(["a" * 63] * 3 + ["b" * 62])]}),
        "without ca": ({}, {"ca": None}),
        "of an empty certificate": ({}, {"ca": [""]}),
        "of a certificate twice": ({}, {"ca": [CERTIFICATE, CERTIFICATE]}),
        "of a certificate in PEM": ({}, {"ca": ["-----BEGIN CERTIFICATE-----"]}),
        "of a certificate with padding": ({}, {"ca": ["MA=="]}),
        "of a certificate with unused bits": ({}, {"ca": ["MB"]}),
        "of a certificate of 5 characters": ({}, {"ca": ["MAAAA"]}),
        "of a certificate of 4097 bytes": ({}, {"ca": [b64(bytes(4097))]}),
        "of 17 certificates": ({}, {"ca": [b64(bytes([n])) for n in range(17)]}),
    }
    hosts: dict[str, JSON] = {
        "without its name": {"host": None},
        "that is empty": {"host": ""},
        "in capitals": {"host": "MUSTER"},
        "with a last dot": {"host": "muster."},
        "with an empty label": {"host": "a..b"},
        "with a hyphen first": {"host": "-a.b"},
        "with a hyphen last": {"host": "a-.b"},
        "of a label of 64": {"host": "a" * 64},
        "of 254": {"host": ".".join(["a" * 63] * 3 + ["b" * 62])},
        "with a port in it": {"host": "muster.corp.example:1"},
        "in brackets": {"host": "[::1]"},
        "with an interface": {"host": "fe80::1%eth0"},
        "with a path": {"host": "a/b"},
        "with a user": {"host": "a@b"},
        "with a line end": {"host": "a\n"},
        "of other letters": {"host": "müster"},
        "without a port": {"port": None},
        "of port 0": {"port": 0},
        "of port 65536": {"port": 65_536},
        "of a port that is a text": {"port": "1"},
        "of a priority of 65536": {"priority": 65_536},
        "without priority": {"priority": None},
        "without weight": {"weight": None},
        "of a weight of 65536": {"weight": 65_536},
        "without tls": {"tls": None},
        "of a tls that is 1": {"tls": 1},
    }
    for name, changes in hosts.items():
        wrong[f"of a host {name}"] = ({}, {"hosts": [host(**changes)]})
    for name, (claims, muster) in wrong.items():
        c.add(f"S5: {name}", file(part(site(claims, muster))), 5, "claims")
    c.add("S5: without muster", file(part(site({"muster": None}))), 5, "claims")
    bad = grant(muster={"covers": []})
    c.add("S5: grant that covers nothing", file(part(granted=bad)), 5, "claims")
    c.add("S5 before S6", file(part(site({"aud": FABRIKAM}, {"ca": None}))), 5, "claims")


def _dates(c: Cases) -> None:
    def dated(name: str, iat: int, exp: int, good: bool, granted: str | None = None) -> None:
        text = file(part(site({"iat": iat, "exp": exp}), granted))
        now = min(NOW, exp - 1) if good else NOW
        c.add(name, text, *(() if good else (7, "dates")), now=now)

    first = instant(GRANT_DAY) - DAY
    dated("S7: a day before its grant", first, NOW + DAY, True)
    dated("S7: more than a day before its grant", first - 1, NOW + DAY, False)
    dated("S7: of ten years", LEASED, LEASED + 3650 * DAY, True)
    dated("S7: of more than ten years", LEASED, LEASED + 3650 * DAY + 1, False)
    dated("S7: without a second", NOW + DAY, NOW + DAY, False)
    dated("S7: of a second", LEASED, LEASED + 1, True)
    ends = grant(term=2)
    end = instant(GRANT_DAY + 60)
    dated("S7: as long as its grant", LEASED, end, True, ends)
    dated("S7: longer than its grant", LEASED, end + 1, False, ends)
    late = file(part(site({"iat": NOW + 900 * DAY, "exp": NOW + 901 * DAY})))
    c.add("S8: of the future, by a clock that is dead", late, now=0)
    c.add("S8: in its last second", file(), now=LEASED + 730 * DAY - 1)
    c.add("S8: at its end", file(), 8, "expired", now=LEASED + 730 * DAY)
    for name, entry in {"its grant": {"jti": HOST_JTI}, "its key": {"key": HOST_KEY}}.items():
        revoking = catalogue(2, iat=instant(326), revocations=[{**entry, "at": REVOKED_ON}])
        c.add(f"S8: after {name} was revoked", file(), 8, "revoked", held=revoking)
        tomorrow = catalogue(2, iat=instant(326), revocations=[{**entry, "at": REVOKED_ON + 900}])
        c.add(f"S8: before {name} is revoked", file(), 8, "revoked", held=tomorrow)
        over = LEASED + 730 * DAY
        c.add(f"S8: revoked and ended, {name}", file(), 8, "revoked", held=revoking, now=over)
    others = catalogue(2, iat=instant(326), revocations=[{"jti": token("another"), "at": 300}])
    c.add("S8: after another grant was revoked", file(), held=others)


def _trust(c: Cases) -> None:
    young = grant(signer=GRANT_1)
    c.add("trust: grant of the key that follows", file(part(granted=young)), 3, "grant")
    c.add("trust: that the store holds", file(part(granted=young)), line=[TRUST_2])
    c.add("trust: that the file brings", file(part(granted=young, trust=[TRUST_2])))
    c.add(
        "trust: what does not follow is passed over",
        file(part(granted=young, trust=[trust(5), TRUST_2])),
    )
    c.add("trust: of a stranger", file(part(granted=young, trust=[trust(2, STRANGER)])), 3, "grant")
    withdrawn = [TRUST_2, TRUST_3]
    c.add("trust: that withdraws the key of the grant", file(part(trust=withdrawn)), 3, "grant")
    older = file(part(trust=[TRUST_2]))
    c.add("trust: that is held by now", file(part(trust=[TRUST_2])), line=[TRUST_2])
    c.add("trust: an older one says nothing", older, 3, "grant", line=withdrawn)
    # A catalogue counts while trust stands behind its key.
    revoking = catalogue(2, iat=instant(326), revocations=[{"jti": HOST_JTI, "at": REVOKED_ON}])
    again = grant(signer=GRANT_1)
    c.add(
        "trust: that withdraws the key of the catalogue",
        file(part(granted=again, trust=withdrawn)),
        held=revoking,
    )
    newer = catalogue(
        3, CATALOGUE_B, iat=instant(326), revocations=[{"jti": HOST_JTI, "at": REVOKED_ON}]
    )
    c.add(
        "trust: that keeps the key of the catalogue",
        file(part(granted=again, trust=[TRUST_3])),
        8,
        "revoked",
        line=[TRUST_2],
        held=newer,
    )
