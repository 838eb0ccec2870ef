-- Pools of keys that activate machines: multiple activation, evaluation and retail keys.

-- pool is the size as agreed, corrected what staff gave back, drawn how many machines hold a grant.
-- alerts are percentages of the size in rising order, separated by commas.
ALTER TABLE product_key ADD COLUMN pool INTEGER NOT NULL DEFAULT 0 CHECK (pool >= 0);
ALTER TABLE product_key ADD COLUMN corrected INTEGER NOT NULL DEFAULT 0 CHECK (corrected >= 0);
ALTER TABLE product_key ADD COLUMN correction_limit INTEGER NOT NULL DEFAULT 0
    CHECK (corrected <= correction_limit);
ALTER TABLE product_key ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0
    CHECK (drawn BETWEEN 0 AND pool + corrected);
ALTER TABLE product_key ADD COLUMN alerts TEXT NOT NULL DEFAULT '';

-- A draw on a pool: one binding of one key, with the grant that every door gives for it.
CREATE TABLE machine_grant (
    key TEXT NOT NULL REFERENCES product_key (id),
    binding TEXT NOT NULL,
    jti TEXT NOT NULL UNIQUE,
    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 65535),
    term INTEGER NOT NULL CHECK (term BETWEEN 0 AND 63),
    kid TEXT NOT NULL,
    text TEXT NOT NULL,
    confirmation TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    revoked INTEGER,
    PRIMARY KEY (key, binding)
) STRICT;
