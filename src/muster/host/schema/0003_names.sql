-- What machines call themselves: a stranger's word, shown to administrators and used for nothing.

ALTER TABLE machine ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- Of the last request that was refused as a clone's.
ALTER TABLE machine ADD COLUMN clone_name TEXT NOT NULL DEFAULT '';
ALTER TABLE machine ADD COLUMN clone_address TEXT NOT NULL DEFAULT '';
ALTER TABLE request_log ADD COLUMN name TEXT NOT NULL DEFAULT '';
