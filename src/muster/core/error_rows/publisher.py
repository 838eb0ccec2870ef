"""Errors of the area `publisher`."""

from muster.core.errors import Kind, Retry, Row

ROWS: tuple[Row, ...] = ()
