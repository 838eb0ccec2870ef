-- The publisher's tables. Instants are Unix seconds UTC, days count from 2026-01-01.
-- Nothing is ever deleted here: what was issued, signed or drawn stays.

-- Who this publisher is; one row.
CREATE TABLE publisher (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Every signed version. The texts are the truth; the other columns are for asking.
CREATE TABLE trust (
    version INTEGER NOT NULL PRIMARY KEY CHECK (version >= 1),
    iat INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE TABLE catalogue (
    version INTEGER NOT NULL PRIMARY KEY CHECK (version >= 1),
    iat INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- Where the private halves lie. A number of a role is never used twice; of a grant key it is the
-- index in trust objects and confirmation IDs. file is '' where the key lies elsewhere.
CREATE TABLE key_file (
    kid TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('root', 'reserve', 'catalogue', 'grant')),
    number INTEGER NOT NULL CHECK (number >= 0),
    file TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    UNIQUE (role, number)
) STRICT;

-- Product keys that were issued. The key itself is not kept.
-- proof_key is 64 hexadecimal digits. hosts counts the hardware ids that hold a seat.
CREATE TABLE product_key (
    id TEXT NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 4),
    group_number INTEGER NOT NULL,
    serial INTEGER NOT NULL,
    group_id TEXT NOT NULL,
    product TEXT,
    masked TEXT NOT NULL,
    proof_key TEXT NOT NULL,
    term INTEGER NOT NULL CHECK (term BETWEEN 0 AND 63),
    customer TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    revoked INTEGER,
    hosts INTEGER NOT NULL DEFAULT 0,
    host_limit INTEGER NOT NULL,
    activation_limit INTEGER NOT NULL,
    UNIQUE (kind, group_number, serial),
    CHECK (hosts BETWEEN 0 AND host_limit)
) STRICT;

CREATE UNIQUE INDEX product_key_setup ON product_key (product) WHERE product IS NOT NULL;

-- A hardware id that was activated with a host key: one of its 6 while released_at is null.
CREATE TABLE host_seat (
    key TEXT NOT NULL REFERENCES product_key (id),
    hw TEXT NOT NULL,
    activations INTEGER NOT NULL CHECK (activations >= 0),
    first_at INTEGER NOT NULL,
    released_at INTEGER,
    PRIMARY KEY (key, hw)
) STRICT;

-- A draw: one host signing key on one hardware id, with the grant that every door gives for it.
CREATE TABLE host_grant (
    key TEXT NOT NULL,
    binding TEXT NOT NULL,
    hw TEXT NOT NULL,
    jti TEXT NOT NULL UNIQUE,
    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 65535),
    term INTEGER NOT NULL CHECK (term BETWEEN 0 AND 63),
    kid TEXT NOT NULL,
    text TEXT NOT NULL,
    confirmation TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    revoked INTEGER,
    PRIMARY KEY (key, binding),
    FOREIGN KEY (key, hw) REFERENCES host_seat (key, hw)
) STRICT;

CREATE INDEX host_grant_hardware ON host_grant (key, hw);

-- Terms of host grants; of each grant the highest version counts.
CREATE TABLE host_terms (
    jti TEXT NOT NULL REFERENCES host_grant (jti),
    version INTEGER NOT NULL CHECK (version >= 1),
    iat INTEGER NOT NULL,
    machines INTEGER NOT NULL CHECK (machines >= 0),
    excess TEXT NOT NULL CHECK (excess IN ('refuse', 'report')),
    customer TEXT NOT NULL,
    agreement TEXT NOT NULL,
    kid TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (jti, version)
) STRICT;

-- Every change and every draw, written in the transaction that does it. seq has no gaps;
-- hash covers the row and the hash of the row before it (docs/spec/12-audit.md).
CREATE TABLE audit (
    seq INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
