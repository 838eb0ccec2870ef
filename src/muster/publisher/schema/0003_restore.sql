-- Whether these tables came out of a backup, and until when draws wait; one row a restore.

-- head is the head of the audit log in the backup. resolved_at is set when the operator gave the
-- same head from elsewhere, or accepted that what came after it is lost.
CREATE TABLE restore (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number >= 1),
    restored_at INTEGER NOT NULL,
    head TEXT NOT NULL,
    resolved_at INTEGER
) STRICT;
