-- What proves that a machine asks for itself (docs/spec/06-counting.md, section 6.4).

-- The nonce of the machine's last request; the machine's own time of its latest one; the lines that
-- were left, as nonce@time by spaces, the first one first; when it was last found that several
-- machines share the store; how often a store that was put back was forgiven; and when a clone of the
-- machine was last found.
ALTER TABLE machine ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE machine ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN left_lines TEXT NOT NULL DEFAULT '';
ALTER TABLE machine ADD COLUMN forked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN cloned_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX machine_with_clones ON machine (publisher, cloned_at) WHERE cloned_at > 0;

-- The nonce that a lease answers, so that the same request gets the same lease. A release is proved
-- by the machine and no longer by the licence id, so the one before is not kept.
ALTER TABLE lease ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE lease DROP COLUMN previous_jti;
