"""Tables of a manager, as numbered steps for `muster.db.migrate`."""
