-- How the last asking of each publisher for news went, so that it is known after a restart. `good_at`
-- is null before the first answer; `failures` askings in a row got none.
CREATE TABLE news (
    publisher TEXT PRIMARY KEY REFERENCES publisher (publisher),
    at INTEGER NOT NULL,
    good_at INTEGER,
    code TEXT NOT NULL,
    failures INTEGER NOT NULL,
    next_at INTEGER NOT NULL
) STRICT;
