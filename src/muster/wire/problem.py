"""RFC 9457 problem documents to catalogue rows and back (docs/spec/08-http.md, section 8.8).

A problem document is unsigned: whoever reads one may tell it to a person and may choose when and
whom to ask next within 15 minutes to 4 hours, and changes nothing else. Its texts are for readers
of other makes: we show those of our own rows (`muster.wire.peer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError, Retry
from muster.core.text import clean, fit
from muster.core.values import dataclass, field
from muster.lease import strict
from muster.wire import codec
from muster.wire.peer import Peer, Value, hear

CHALLENGE = "host/challenge"
"""The refusal that is answered with the same message, signed once more."""
PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    507: "Insufficient Storage",
}
"""The registered phrases of the statuses in the catalogue of errors [those of Python's own table
change from one version of Python to the next]."""
LIMITS = strict.Limits(bytes=16 * 1024, levels=6, members=128, items=256)
_PARAM_CHARACTERS, _PARAM_TEXTS = 256, 64
_GATEWAY = frozenset({502, 503, 504})
"""What a proxy answers that reaches no server (RFC 9110, section 15.6)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document as read.

    `code` is the one that the peer named; it is in the catalogue, or new to this program. `said`
    is the error that it is to us: our own row, or `wire/unknown-code`. `params` were checked by
    the grammar of their names. `trust` and `catalogue` are the versions that the answering server
    holds, 0 where unknown; `notice` is the undecoded signed notice, or None.
    """

    status: int
    code: str
    said: MusterError
    params: Mapping[str, Value] = field(default_factory=dict)
    trust: int = 0
    catalogue: int = 0
    notice: strict.JSONObject | None = None

    @property
    def what(self) -> str:
        """What happened, in our own words."""
        return self.said.what

    @property
    def why(self) -> str:
        """Why, in our own words."""
        return self.said.why

    @property
    def fix(self) -> str:
        """What to do, in our own words."""
        return self.said.fix

    @property
    def retry(self) -> Retry:
        """What a program should do, by our own row."""
        return self.said.row.retry

    @property
    def field_code(self) -> str:
        """The number that administrators know, by our own row."""
        return self.said.row.field_code

    @property
    def challenge(self) -> str:
        """What the same message is signed with and sent once more, "" where nothing is given."""
        given = self.params.get("challenge")
        asked = self.code == CHALLENGE and self.status == self.said.row.http
        return given if asked and isinstance(given, str) else ""

    def number(self, name: str) -> int | None:
        """An integer parameter, or None where it is absent or something else."""
        value = self.params.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def error(self) -> MusterError:
        """The problem as an exception."""
        return self.said


def encode_problem(
    fault: MusterError,
    *,
    trust: int = 0,
    catalogue: int = 0,
    notice: strict.JSONObject | None = None,
) -> tuple[int, bytes]:
    """Status and body of the problem document of an error.

    The parameters travel only below status 500 and only as integers, booleans, short texts and
    lists of short texts. Whatever an error's texts were filled with, our own reader takes them.
    """
    row = fault.row
    document: dict[str, strict.JSONValue] = {
        "type": "about:blank",
        "title": PHRASES[row.http],
        "status": row.http,
        "detail": fit(fault.what, grammar.PROSE_CHARACTERS),
        "code": row.code,
        "field_code": row.field_code,
        "why": fit(fault.why, grammar.PROSE_CHARACTERS),
        "fix": fit(fault.fix, grammar.PROSE_CHARACTERS),
        "retry": row.retry.value,
    }
    if row.http < 500:
        document["params"] = plain_params(fault.params)
    if trust:
        document["trust"] = trust
    if catalogue:
        document["catalogue"] = catalogue
    if notice is not None:
        document["notice"] = dict(notice)
    return row.http, codec.encode(document)


def plain_params(values: Mapping[str, Any]) -> dict[str, strict.JSONValue]:
    """The parameters that may travel, their texts clean; the others are left out."""
    return {
        name: _plain(value)
        for name, value in values.items()
        if grammar.PARAMETER_NAME.fullmatch(name) and _is_plain(value)
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= _PARAM_TEXTS and all(
            isinstance(item, str) and len(item) <= _PARAM_CHARACTERS for item in value
        )
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return 0 <= value < 2**53
    return isinstance(value, str) and len(value) <= _PARAM_CHARACTERS


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return clean(value) if isinstance(value, str) else value


def decode_problem(status: int, body: bytes, peer: str, role: Peer = Peer.EITHER) -> Problem:
    """Read a problem document.

    Args:
        status: of the answer.
        body: of the answer.
        peer: the name of who answered, such as its address.
        role: who it is; decides which codes it can say.
    Raises: for anything that is not one, `wire/gateway` where the status is that of a proxy which
        reaches nobody, `wire/redirected`, else `wire/bad-answer`; each names the peer.
        `wire/unexpected-code` for a code that this peer cannot say. A code that this program does
        not know is fine.
    """
    try:
        reader = codec.decode(body, LIMITS)
        code = reader.text("code", grammar.ERROR_CODE)
        reader.text("title", grammar.PROSE)
        what = reader.text("detail", grammar.PROSE)
        why = reader.optional_text("why", grammar.PROSE) or ""
        reader.text("fix", grammar.PROSE)
        reader.text("retry", grammar.RETRY)
        reader.optional_text("field_code", grammar.FIELD_CODE)
        params = reader.raw("params") if reader.given("params") else {}
        trust = reader.integer("trust") if reader.given("trust") else 0
        catalogue = reader.integer("catalogue") if reader.given("catalogue") else 0
        notice = reader.raw("notice") if reader.given("notice") else None
    except MusterError as fault:
        detail = str(fault.params.get("detail", fault.what))
        raise _no_problem(status, peer, detail) from None
    heard = hear(role, peer, code, params, what, why)
    known = heard.code == code
    return Problem(
        status=status,
        code=code,
        said=heard,
        params=heard.params if known else {},
        trust=trust,
        catalogue=catalogue,
        notice=notice,
    )


def _no_problem(status: int, peer: str, detail: str) -> MusterError:
    """What an answer is that is neither 200 nor a problem document: somebody else's."""
    if status in _GATEWAY:
        return error("wire/gateway", peer=peer, status=status)
    if 300 <= status < 400:
        return error("wire/redirected", peer=peer, status=status)
    return error("wire/bad-answer", peer=peer, detail=f"status {status}, {detail}")
