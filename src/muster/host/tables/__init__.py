"""The host's tables: functions over a reader or a transaction, records in and out.

One module a group of tables. They decide how records are stored. They refuse to decide anything
else: what is stored is a cache that `muster.host.view` verifies, and transactions are drawn by who
calls. The SQL is that of SQLite and PostgreSQL alike (docs/adr/0006-storage-and-sql.md); the tables
are in `schema/`, their rules in docs/spec/06-counting.md, section 6.7.
"""
