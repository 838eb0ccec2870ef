"""Errors of the area `client`."""

from muster.core.errors import Kind, Retry, Row

ROWS: tuple[Row, ...] = ()
