"""Errors of the area `common`."""

from muster.core.errors import Kind, Retry, Row

ROWS: tuple[Row, ...] = (
)
