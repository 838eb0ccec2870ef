"""What administrators wish of a host: one function a wish, one transaction, one frozen record.

A wish writes one row of the audit table; one that takes several documents, of publishers or keys,
stores each by itself and writes a row for each that was newer. `changed` says whether anything was
stored. A wish that was fulfilled before changes nothing; where its name names nothing any more, as
after a removal, it says so as for a name that was mistyped. `grants` and `updates` hold parts that
several wishes have in common.
"""
