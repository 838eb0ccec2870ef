"""RFC 9457 problem documents to catalogue rows and back (docs/spec/08-http.md, section 8).

A problem document is unsigned: whoever reads one may tell it to a person and may choose when and
whom to ask next within 15 minutes to 4 hours, and changes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from muster.core.characters import HIDDEN
from muster.core.errors import Kind, MusterError, Retry, Row, error
from muster.lease import strict
from muster.wire import codec

LIMITS = strict.Limits(bytes=16 * 1024, levels=6, members=128, items=256)
_CODE = re.compile(r"[a-z-]{1,32}/[a-z0-9-]{1,64}")
_LONGEST = 1024
_TEXT = re.compile(rf".{{0,{_LONGEST}}}", re.DOTALL)
_STEERING = re.compile(f"[{HIDDEN}]")
"""What a terminal obeys, what turns the direction of writing, and what nobody sees."""
_PARAM = re.compile(r"[a-z0-9_]{1,32}")
_PARAM_CHARACTERS, _PARAM_TEXTS = 256, 64
_RETRY = re.compile("|".join(one.value for one in Retry))
_FIELD = re.compile(r"[0-9A-Fa-fx]{0,16}")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document as read: the row's texts filled in, and the error's parameters.

    Texts, those among the parameters included, hold no character that steers a terminal or turns
    the direction of writing; parameters are integers, booleans, short texts and lists of them.
    `trust` and `catalogue` are the versions that the answering server holds, 0 where unknown;
    `notice` is the undecoded signed notice, or None.
    """

    status: int
    code: str
    what: str
    why: str
    fix: str
    retry: Retry
    field_code: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    trust: int = 0
    catalogue: int = 0
    notice: dict[str, Any] | None = None

    def number(self, name: str) -> int | None:
        """An integer parameter, or None where it is absent or something else."""
        value = self.params.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def error(self) -> MusterError:
        """The problem as an exception, with the texts that the server gave."""
        kind = Kind.FAULT if self.status >= 500 else Kind.REFUSAL
        row = Row(
            code=self.code,
            kind=kind,
            http=self.status,
            retry=self.retry,
            what=_literal(self.what),
            why=_literal(self.why),
            fix=_literal(self.fix),
            field_code=self.field_code,
        )
        from muster.core.errors import Fault, Refusal

        return (Fault if kind is Kind.FAULT else Refusal)(row, dict(self.params))


def _literal(text: str) -> str:
    """A template that prints exactly this text."""
    return text.replace("{", "{{").replace("}", "}}")


def encode_problem(
    fault: MusterError,
    *,
    trust: int = 0,
    catalogue: int = 0,
    notice: Mapping[str, Any] | None = None,
) -> tuple[int, bytes]:
    """Status and body of the problem document of an error.

    The parameters travel only below status 500 and only as integers, booleans, short texts and
    lists of short texts. Whatever an error's texts were filled with, our own reader takes them.
    """
    row = fault.row
    document: dict[str, Any] = {
        "type": f"urn:muster:error:{row.code}",
        "title": _fit(fault.what),
        "status": row.http,
        "detail": _fit(fault.why),
        "code": row.code,
        "field_code": row.field_code,
        "fix": _fit(fault.fix),
        "retry": row.retry.value,
    }
    if row.http < 500:
        document["params"] = _params(fault.params)
    if trust:
        document["trust"] = trust
    if catalogue:
        document["catalogue"] = catalogue
    if notice is not None:
        document["notice"] = dict(notice)
    return row.http, codec.encode(document)


def _clean(text: str) -> str:
    """The text with U+FFFD for each character that steers what it is shown on."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def _fit(text: str) -> str:
    """The text as a problem document may hold it: clean, and cut where it is too long."""
    text = _clean(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _params(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that may travel, their texts clean; the others are left out."""
    return {
        name: _plain(value)
        for name, value in values.items()
        if _PARAM.fullmatch(name) and _is_plain(value)
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= _PARAM_TEXTS and all(
            isinstance(one, str) and len(one) <= _PARAM_CHARACTERS for one in value
        )
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return 0 <= value < 2**53
    return isinstance(value, str) and len(value) <= _PARAM_CHARACTERS


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return _clean(value) if isinstance(value, str) else value


def decode_problem(status: int, body: bytes, peer: str) -> Problem:
    """Read a problem document.

    Raises: `wire/bad-answer` naming the peer for anything that is not one; an unknown code is
    fine, the texts that came with it are kept.
    """
    try:
        reader = codec.decode(body, LIMITS)
        return Problem(
            status=status,
            code=reader.text("code", _CODE),
            what=_clean(reader.text("title", _TEXT)),
            why=_clean(reader.text("detail", _TEXT)),
            fix=_clean(reader.text("fix", _TEXT)),
            retry=Retry(reader.text("retry", _RETRY)),
            field_code=reader.optional_text("field_code", _FIELD) or "",
            params=_params(reader.raw("params")) if reader.has("params") else {},
            trust=reader.integer("trust") if reader.has("trust") else 0,
            catalogue=reader.integer("catalogue") if reader.has("catalogue") else 0,
            notice=reader.raw("notice") if reader.has("notice") else None,
        )
    except MusterError as fault:
        detail = str(fault.params.get("detail", fault.what))
        raise error("wire/bad-answer", peer=peer, detail=detail) from None
