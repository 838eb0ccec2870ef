"""The tables of the publisher, one numbered step a file (muster.db.migrate)."""
