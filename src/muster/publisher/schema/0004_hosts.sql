-- What terms say of the length of leases, and the names that hosts gave themselves.

-- max_lease is in seconds, null where the terms say nothing of it.
ALTER TABLE host_terms ADD COLUMN max_lease INTEGER;
-- name is what the host said of itself at its activation: unsigned, shown and nothing else.
ALTER TABLE host_grant ADD COLUMN name TEXT NOT NULL DEFAULT '';
