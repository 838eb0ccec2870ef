"""Tables of a host, as numbered steps for `muster.db.migrate`."""
