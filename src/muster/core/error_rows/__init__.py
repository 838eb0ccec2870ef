"""The rows of the error catalogue, one file per area, joined here."""

from muster.core.error_rows import backup, client, common, host, licence, net, publisher, wire
from muster.core.errors import Row, table

CATALOGUE: dict[str, Row] = table(
    (
        common.ROWS,
        licence.ROWS,
        wire.ROWS,
        net.ROWS,
        host.ROWS,
        publisher.ROWS,
        backup.ROWS,
        client.ROWS,
    )
)
"""Every row by its code."""
