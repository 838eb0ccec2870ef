"""How the last publishing in each zone of DNS went."""

from __future__ import annotations

from muster.core.values import dataclass
from muster.db.engine import Reader, Transaction


@dataclass(frozen=True, slots=True)
class DNSResult:
    """How the last publishing in a zone went; `code` "" is success."""

    zone: str
    at: int
    code: str
    detail: str


def put_result(tx: Transaction, result: DNSResult) -> None:
    """Remember how publishing in a zone went."""
    tx.execute(
        "INSERT INTO dns_result (zone, at, code, detail) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (zone) DO UPDATE SET at = excluded.at, code = excluded.code,"
        " detail = excluded.detail",
        (result.zone, result.at, result.code, result.detail),
    )


def results(reader: Reader) -> list[DNSResult]:
    """The last result for each zone."""
    rows = reader.query("SELECT zone, at, code, detail FROM dns_result ORDER BY zone")
    return [DNSResult(*row) for row in rows]
