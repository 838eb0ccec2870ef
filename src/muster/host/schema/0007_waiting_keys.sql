-- Since when an administrator waits for the grant of a host key that he asked for online, null where
-- nobody waits; the code of the refusal, and the name of the host that he gave. A running host asks
-- again.
ALTER TABLE host_key ADD COLUMN asked_at INTEGER;
ALTER TABLE host_key ADD COLUMN asked_name TEXT NOT NULL DEFAULT '';
ALTER TABLE host_key ADD COLUMN refusal TEXT NOT NULL DEFAULT '';
