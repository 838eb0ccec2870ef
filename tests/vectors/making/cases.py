"""Building blocks of the licence vectors: one good object of each kind, and ways to spoil it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.vectors.make_identities import drawn
from tests.vectors.making.signing import (
    DAY,
    JSON,
    Key,
    b64,
    compact,
    grant_payload,
    header,
    host_binding,
    jcs,
    token,
    unb64,
    without_none,
)
from tests.vectors.making.worlds import (
    BINDING,
    CONTOSO,
    DESKTOP,
    GRANT_0,
    GRANT_DAY,
    HARDWARE,
    HOST,
    HOST_KEY,
    LEASED,
    MAK_KEY,
    NOW,
)

GRANT, LEASE, NOTICE = "muster-grant+jwt", "muster-lease+jwt", "muster-notice+jwt"
CMID = "5c0ffee0-1234-4abc-8def-0123456789ab"
OTHER_CMID = "5c0ffee0-1234-4abc-8def-0123456789ac"
NONCE = token("nonce")
FACTS = drawn("u1 b1 d1 n1 n2")
"""A fingerprint: u, b, d and two addresses."""
OTHER_FACTS = drawn("u9 b9 d9 n8 n9")
"""That of another machine."""
PRODUCT = "desktop-7.professional"
SKEW = 4 * 3600

CODES = {
    "lease": {
        1: "licence/malformed",
        2: "licence/header",
        3: "licence/grant",
        4: "licence/signer",
        5: "licence/claims",
        6: "licence/audience",
        7: "licence/machine",
        8: "licence/dates",
        9: "licence/clock",
        10: "licence/count",
        11: "licence/fingerprint",
        12: "licence/expired",
    },
    "activation": {
        1: "licence/malformed",
        2: "licence/header",
        3: "licence/grant",
        4: "licence/claims",
        5: "licence/audience",
        6: "licence/machine",
        7: "licence/expired",
    },
    "notice": {
        1: "licence/malformed",
        2: "licence/header",
        3: "licence/grant",
        4: "licence/signer",
        5: "licence/claims",
        6: "licence/audience",
        7: "licence/machine",
        8: "licence/clock",
        9: "licence/dates",
    },
}
"""What the step of a kind says unless a case says otherwise."""


def changed(payload: JSON, claims: Mapping[str, Any], muster: Mapping[str, Any]) -> JSON:
    """A payload with members changed, added or (None) left out."""
    inner = without_none({**payload["muster"], **muster})
    return without_none({**payload, "muster": inner, **claims})


def grant(
    kind: str = "host",
    key_id: str = HOST_KEY,
    group: JSON = DESKTOP,
    *,
    binding: str | None = None,
    publisher: str = CONTOSO,
    signer: Key = GRANT_0,
    host: Key = HOST,
    day: int = GRANT_DAY,
    term: int = 0,
    claims: Mapping[str, Any] | None = None,
    muster: Mapping[str, Any] | None = None,
    head: Mapping[str, Any] | None = None,
) -> str:
    """A grant; by default the one of the customer's host."""
    is_host = kind == "host"
    payload = grant_payload(
        kind,
        publisher,
        key_id,
        binding or (host_binding(publisher, key_id, host) if is_host else BINDING),
        group,
        hw=HARDWARE if is_host else None,
        term=term,
        day=day,
    )
    top = {**header(GRANT, signer.kid), **(head or {})}
    return compact(jcs(top), jcs(changed(payload, claims or {}, muster or {})), signer)


def mak(key_id: str = MAK_KEY, group: JSON = DESKTOP, *, kind: str = "mak", **changes: Any) -> str:
    """A grant of one machine."""
    return grant(kind, key_id, group, **changes)


def lease_payload(
    claims: Mapping[str, Any] | None = None, muster: Mapping[str, Any] | None = None
) -> JSON:
    """The payload of the good lease, changed."""
    payload: JSON = {
        "iss": HOST.kid,
        "sub": CMID,
        "aud": f"{CONTOSO}/{PRODUCT}",
        "iat": LEASED,
        "nbf": LEASED,
        "exp": LEASED + 180 * DAY,
        "jti": token("lease"),
        "muster": {
            "v": 1,
            "group": "desktop-7",
            "identity": "machine",
            "nonce": NONCE,
            "renew_after": 7 * DAY,
            "retry_after": 7200,
            "count": 27,
            "need": 25,
            "fingerprint": FACTS,
            "catalogue": 1,
            "trust": 1,
        },
    }
    return changed(payload, claims or {}, muster or {})


def notice_payload(
    claims: Mapping[str, Any] | None = None, muster: Mapping[str, Any] | None = None
) -> JSON:
    """The payload of the good notice, changed."""
    payload: JSON = {
        "iss": HOST.kid,
        "sub": CMID,
        "aud": f"{CONTOSO}/{PRODUCT}",
        "iat": LEASED,
        "jti": token("notice"),
        "muster": {"v": 1, "code": "host/duplicate-cmid", "nonce": NONCE},
    }
    return changed(payload, claims or {}, muster or {})


def dated(iat: int, exp: int | None = None) -> JSON:
    """The dates of a lease: `nbf` as `iat`, 180 days long unless said otherwise."""
    return {"iat": iat, "nbf": iat, "exp": iat + 180 * DAY if exp is None else exp}


def signed(typ: str, payload: JSON, key: Key = HOST, head: Mapping[str, Any] | None = None) -> str:
    """A signed object whose header may hold anything."""
    return compact(jcs({**header(typ, key.kid), **(head or {})}), jcs(payload), key)


def appended(payload: JSON, members: str) -> str:
    """The JSON text of a payload with raw text put before its last brace."""
    return f"{jcs(payload)[:-1]},{members}}}"


def raw_lease(payload: str | bytes, head: str | None = None) -> str:
    """A lease by the good host over raw texts."""
    return compact(head or jcs(header(LEASE, HOST.kid)), payload, HOST)


def bundle(main: str, granted: str | None = None, **changes: Any) -> str:
    """A licence bundle; a change to None leaves the member out."""
    return _bundle("lease", main, granted, changes)


def notice_bundle(main: str, granted: str | None = None, **changes: Any) -> str:
    """A notice bundle."""
    return _bundle("notice", main, granted, changes)


def _bundle(name: str, main: str, granted: str | None, changes: Mapping[str, Any]) -> str:
    members = {"v": 1, name: main, "grant": granted or grant(), "signer": HOST.jwk}
    return jcs(without_none({**members, **changes}))


def loosened(part: str) -> str:
    """A base64url text whose unused bits are not 0; it must have some."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if len(part) % 4 == 0:
        raise ValueError("no unused bits here")
    loose = part[:-1] + alphabet[alphabet.index(part[-1]) + 1]
    if unb64(loose) != unb64(part):
        raise ValueError("another text")
    return loose


def resigned(text: str, key: Key, *, head: str | None = None, payload: str | None = None) -> str:
    """The compact JWS with a part replaced and signed again, as the part then stands."""
    first, second, _ = text.split(".")
    data = f"{head or first}.{payload or second}"
    return f"{data}.{b64(key.sign(data.encode()))}"


class Cases:
    """Collects cases; names are unique."""

    def __init__(self) -> None:
        self.cases: list[JSON] = []
        self._names: set[str] = set()

    def add(
        self,
        name: str,
        data: str | bytes,
        *,
        kind: str = "lease",
        step: int | None = None,
        code: str | None = None,
        switch: int | None = None,
        alone: bool = False,
        world: str = "contoso",
        expected: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one case.

        Args:
            step: what refuses it; None: it is good.
            code: the error code, where the step has more than one.
            alone: only that step refuses, so that it is accepted without it.
        """
        if name in self._names:
            raise ValueError(f"{name} stands twice")
        self._names.add(name)
        want: JSON = {
            "cmid": CMID,
            "identity": "machine",
            "nonce": NONCE,
            "fingerprint": FACTS,
            "binding": BINDING,
            "now": LEASED + 60 if kind == "notice" else NOW,
            "clock_mark": LEASED,
            "fresh": kind == "notice",
            **(expected or {}),
        }
        case: JSON = {"name": name, "world": world, "kind": kind, "expected": want}
        if isinstance(data, bytes):
            case["bundle_b64"] = base64.b64encode(data).decode()
        else:
            case["bundle"] = data
        case["result"] = "ok" if step is None else code or CODES[kind][step]
        case["step"] = step
        case["switch"] = switch if switch is not None else step if alone else None
        self.cases.append(case)

    def lease(
        self,
        name: str,
        claims: Mapping[str, Any] | None = None,
        muster: Mapping[str, Any] | None = None,
        *,
        granted: str | None = None,
        key: Key = HOST,
        head: Mapping[str, Any] | None = None,
        members: Mapping[str, Any] | None = None,
        **case: Any,
    ) -> None:
        """A lease case: the good one with claims, header, key, grant or bundle changed."""
        text = signed(LEASE, lease_payload(claims, muster), key, head)
        self.add(name, bundle(text, granted, **(members or {})), **case)

    def notice(
        self,
        name: str,
        claims: Mapping[str, Any] | None = None,
        muster: Mapping[str, Any] | None = None,
        *,
        granted: str | None = None,
        key: Key = HOST,
        head: Mapping[str, Any] | None = None,
        members: Mapping[str, Any] | None = None,
        **case: Any,
    ) -> None:
        """A notice case, as `lease`."""
        text = signed(NOTICE, notice_payload(claims, muster), key, head)
        self.add(name, notice_bundle(text, granted, **(members or {})), kind="notice", **case)

    def activation(self, name: str, granted: str, **case: Any) -> None:
        """An activation case."""
        self.add(name, jcs({"v": 1, "grant": granted}), kind="activation", **case)
