"""Errors of the area `host`."""

from muster.core.errors import Kind, Retry, Row

ROWS: tuple[Row, ...] = ()
