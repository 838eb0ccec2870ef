"""The publisher's tables: functions over a reader or a transaction, records in and out.

They decide how records are stored. They refuse to decide anything else: rules are in
`muster.publisher.rules`, transactions are drawn by who calls. The SQL is that of SQLite and
PostgreSQL alike (docs/adr/0006-storage-and-sql.md); the tables are in `schema/`.
"""

from muster.publisher.tables import audit, documents, grants, keys, pools, restore

__all__ = ["audit", "documents", "grants", "keys", "pools", "restore"]
