"""Errors of the area `net`."""

from muster.core.errors import Kind, Retry, Row

ROWS: tuple[Row, ...] = (
)
