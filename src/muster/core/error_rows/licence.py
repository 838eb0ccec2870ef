"""Errors of the area `licence`."""

from muster.core.errors import Kind, Retry, Row

ROWS: tuple[Row, ...] = ()
