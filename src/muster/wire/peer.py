"""What a peer may say in an answer that is not signed (docs/spec/08-http.md, section 8.8).

Decides which codes of the catalogue a host and a publisher can answer with, and the grammar of
every parameter that is taken from them. A code that only a program on its own machine can raise
(`licence/…`, `client/…`, `trust/…`, `net/…`, `file/…` and the rest) is refused from a peer. Refuses
to know how an answer is written down (`muster.wire.problem`, `muster.wire.publisher`).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping

from muster.core import grammar
from muster.core.catalogue import CATALOGUE, error
from muster.core.digits import HINT
from muster.core.error_rows import host, publisher
from muster.core.errors import Fault, Kind, MusterError, Refusal, Row, Usage
from muster.core.text import fit
from muster.wire.routes import JOSE, JSON, PROBLEM, TEXT

Value = int | bool | str | tuple[str, ...]
"""A parameter that was checked."""


class Peer(enum.Enum):
    """Who answers: it decides which codes are taken."""

    HOST = "host"
    PUBLISHER = "publisher"
    EITHER = "host or publisher"
    AGENT = "agent"


_SERVER = frozenset(
    {
        "wire/bad-request",
        "wire/version",
        "wire/too-large",
        "wire/head-too-large",
        "wire/media-type",
        "wire/method",
        "wire/not-found",
        "wire/slow",
        "wire/host-name",
        "wire/internal",
        "wire/unavailable",
    }
)
"""What every server of Muster answers."""
_HOST = _SERVER | {row.code for row in host.ANSWERS}
_PUBLISHER = (
    _SERVER
    | {row.code for row in publisher.ANSWERS}
    | {"publisher/too-many", "publisher/restored"}
    | {code for code in CATALOGUE if code.startswith(("id/", "digits/", "key/"))}
)
ANSWERS: Mapping[Peer, frozenset[str]] = {
    Peer.HOST: frozenset(_HOST),
    Peer.PUBLISHER: frozenset(_PUBLISHER),
    Peer.EITHER: frozenset(_HOST | _PUBLISHER),
    Peer.AGENT: frozenset(CATALOGUE),
}
"""The codes of the catalogue that each peer can answer with."""
_OWN_AREAS = frozenset(code.partition("/")[0] for code in CATALOGUE) - {"host", "publisher", "wire"}
"""Areas in which a peer can invent no code either; the other areas may grow."""
_SAID_CHARACTERS = 400
_ABSENT = {"retry_after": "a few", "hint": ""}
_NOT_SAID = "(not said)"
_NUMBERS = frozenset(
    {
        "column", "corrected", "count", "days", "drawn", "expected", "group", "groups", "held",
        "host_seconds", "known", "limit", "maximum", "need", "place", "pool", "residue",
        "retry_after", "row", "seconds", "trust", "value", "version",
    }
)  # fmt: skip
_MODES, _METHODS = grammar.IDENTITY_MODE.pattern, grammar.HTTP_METHOD.pattern
_TEXTS: Mapping[str, re.Pattern[str]] = {
    "product": grammar.NAME,
    "label": re.compile(rf"{grammar.LABEL.pattern}|[A-Z]{{1,2}}[1-4]"),
    "hint": HINT,
    "read": re.compile(r"[0-9]{1,12}|nothing"),
    "key": re.compile(r"[0-7]-[0-9]{1,7}-[0-9]{1,10}"),
    "jti": grammar.BASE64URL_16,
    "challenge": grammar.BASE64URL_16,
    "kind": re.compile(r"host|mak|setup|evaluation|retail|[5-7]"),
    "identity": grammar.IDENTITY_MODE,
    "allowed": re.compile(
        rf"(?:{_MODES})(?:, (?:{_MODES})){{0,3}}|(?:{_METHODS})(?:, (?:{_METHODS})){{0,4}}"
    ),
    "method": grammar.HTTP_METHOD,
    "host_time": re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC"
        r"|second [0-9]{1,16}"
    ),
    "role": re.compile(r"root|grant|catalogue|terms"),
    "wanted": re.compile("|".join(map(re.escape, (JSON, JOSE, PROBLEM, TEXT)))),
    "count": re.compile(r"more than [0-9]{1,6}"),
    "expected": re.compile(r"[0-9]{1,3}(?: or [0-9]{1,3})?"),
    "groups": re.compile(r"[0-9]{1,3}"),
    "row": re.compile(r"[A-Z]"),
    "symbol": re.compile(r"[!-~]|U\+[0-9A-F]{4,6}"),
}
_LISTS: Mapping[str, re.Pattern[str]] = {"labels": grammar.LABEL}
_MOST_ITEMS = 64


def checked(code: str, params: Mapping[str, object]) -> dict[str, Value]:
    """The parameters of a known code that have their form; what has another one is left out.

    Args:
        code: a code of the catalogue.
        params: as the peer sent them: anything.
    Returns:
        Numbers from 0 to 2^53 - 1, texts that match the grammar of their name, lists of them.
    """
    wanted = CATALOGUE[code].fields() | _EXTRA.get(code, frozenset())
    accepted: dict[str, Value] = {}
    for name in sorted(wanted & params.keys()):
        value = _value(name, params[name])
        if value is not None:
            accepted[name] = value
    return accepted


_EXTRA: Mapping[str, frozenset[str]] = {
    "host/insufficient-count": frozenset({"retry_after"}),
    "host/not-served": frozenset({"labels"}),
    "host/clock-skew": frozenset({"host_seconds"}),
    "host/challenge": frozenset({"challenge"}),
}
"""Parameters that programs read beside those of the texts (docs/spec/08-http.md, section 8.3)."""


def _value(name: str, value: object) -> Value | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if name in _NUMBERS and 0 <= value < 2**53 else None
    if isinstance(value, str):
        grammar = _TEXTS.get(name)
        return value if grammar is not None and grammar.fullmatch(value) else None
    if isinstance(value, list | tuple) and name in _LISTS and len(value) <= _MOST_ITEMS:
        texts = tuple(item for item in value if isinstance(item, str))
        grammar = _LISTS[name]
        if len(texts) == len(value) and all(grammar.fullmatch(text) for text in texts):
            return texts
    return None


def own_row(code: str, params: Mapping[str, Value]) -> MusterError:
    """The error of a known code with the texts of our own row, as far as `params` fill them.

    Its parameters are exactly `params`; a place that none of them fills says so.
    """
    row = CATALOGUE[code]
    values = {name: params.get(name, _ABSENT.get(name, _NOT_SAID)) for name in row.fields()}
    filled = Row(
        code=row.code,
        kind=row.kind,
        http=row.http,
        retry=row.retry,
        what=_literal(row.what.format_map(values)),
        why=_literal(row.why.format_map(values)),
        fix=_literal(row.fix.format_map(values)),
        field_code=row.field_code,
    )
    kinds: dict[Kind, Callable[[Row, Mapping[str, Value]], MusterError]] = {
        Kind.REFUSAL: Refusal,
        Kind.USAGE: Usage,
        Kind.FAULT: Fault,
    }
    return kinds[row.kind](filled, params)


def _literal(text: str) -> str:
    """A template that prints exactly this text."""
    return text.replace("{", "{{").replace("}", "}}")


def hear(
    peer: Peer, name: str, code: str, params: Mapping[str, object], what: str, why: str
) -> MusterError:
    """The error that an unsigned refusal of a peer is to us.

    Args:
        peer: who answers.
        name: what it is called, such as its address.
        code: as it says, of the grammar `grammar.ERROR_CODE`.
        params: as it sent them.
        what, why: its own words; kept only where the code is unknown, as the parameter `says`,
            which no text of the error holds and no store keeps.
    Returns:
        A known code with our own texts; `wire/unknown-code` for one that a newer peer may have.
    Raises: `wire/unexpected-code` for a code that the peer cannot say.
    """
    if code in ANSWERS[peer]:
        return own_row(code, checked(code, params))
    if code in CATALOGUE or code.partition("/")[0] in _OWN_AREAS:
        raise error("wire/unexpected-code", peer=name, given=code)
    says = fit(f"{what.strip()} {why.strip()}".strip(), _SAID_CHARACTERS)
    return error("wire/unknown-code", peer=name, given=code, speaker=speaker(peer), says=says)


def speaker(peer: Peer) -> str:
    """What a peer is called where its words are shown."""
    return {Peer.HOST: "The host", Peer.PUBLISHER: "The publisher"}.get(peer, "The peer")


def quoted(fault: MusterError) -> tuple[str, ...]:
    """The line that marks a peer's own words, or none: for people, never for a store."""
    says = fault.params.get("says")
    if fault.code != "wire/unknown-code" or not says:
        return ()
    return (f'{fault.params["speaker"]} says: "{says}"',)
