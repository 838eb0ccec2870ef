"""Signed things: pure functions of bytes, keys and a given time (docs/spec/02 to 05)."""
