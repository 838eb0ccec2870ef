-- Tables of a host (docs/spec/06-counting.md, section 6.7). Times are Unix seconds.

-- The revision counts changes by administrators, so that a running service notices them. The
-- random value, 64 hex digits, stands in for hardware facts where a machine has none. The address
-- is where machines were last answered.
CREATE TABLE host (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL,
    store_random TEXT NOT NULL,
    listen_address TEXT,
    listen_port INTEGER
) STRICT;

-- What is pinned of a publisher, and the newest catalogue that verified.
CREATE TABLE publisher (
    publisher TEXT PRIMARY KEY,
    anchor TEXT NOT NULL,
    url TEXT,
    catalogue TEXT,
    added_at INTEGER NOT NULL
) STRICT;

-- The trust versions above the anchor, as far as they were followed.
CREATE TABLE trust (
    publisher TEXT NOT NULL REFERENCES publisher (publisher),
    version INTEGER NOT NULL,
    trust TEXT NOT NULL,
    PRIMARY KEY (publisher, version)
) STRICT;

-- Installed host keys: never the key itself, only what activation needs of it.
CREATE TABLE host_key (
    publisher TEXT NOT NULL REFERENCES publisher (publisher),
    key_id TEXT NOT NULL,
    partial TEXT NOT NULL,
    binding TEXT NOT NULL,
    hw TEXT NOT NULL,
    primary_fact TEXT NOT NULL,
    proof_key TEXT NOT NULL,
    installed_at INTEGER NOT NULL,
    host_grant TEXT,
    terms TEXT,
    activated_at INTEGER,
    PRIMARY KEY (publisher, key_id)
) STRICT;

-- The count: one row a machine and application. It counts if last_seen > released and within 30
-- days. Both times only grow, but for the mending of a jumped clock.
CREATE TABLE sighting (
    publisher TEXT NOT NULL,
    application TEXT NOT NULL,
    cmid TEXT NOT NULL,
    last_seen INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (publisher, application, cmid)
) STRICT;
CREATE INDEX sighting_by_time ON sighting (publisher, application, last_seen, released);
CREATE INDEX sighting_by_age ON sighting (last_seen, released);

-- What a machine last said of itself; the fingerprint tells clones.
CREATE TABLE machine (
    publisher TEXT NOT NULL,
    cmid TEXT NOT NULL,
    identity TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    address TEXT NOT NULL,
    os TEXT NOT NULL,
    version TEXT NOT NULL,
    is_virtual INTEGER,
    state INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    duplicates INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (publisher, cmid)
) STRICT;

-- The last two leases of a machine and product; the newest one holds the seat.
CREATE TABLE lease (
    publisher TEXT NOT NULL,
    cmid TEXT NOT NULL,
    product TEXT NOT NULL,
    application TEXT NOT NULL,
    grant_jti TEXT NOT NULL,
    jti TEXT NOT NULL,
    previous_jti TEXT NOT NULL DEFAULT '',
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    released_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (publisher, cmid, product)
) STRICT;
CREATE INDEX lease_by_grant ON lease (publisher, grant_jti, released_at, expires_at, cmid);

-- One row a request, with the fields of event 12290; the oldest are dropped.
CREATE TABLE request_log (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    publisher TEXT NOT NULL,
    product TEXT NOT NULL,
    cmid TEXT NOT NULL,
    address TEXT NOT NULL,
    code TEXT NOT NULL,
    field_code TEXT NOT NULL,
    need INTEGER NOT NULL,
    shown_count INTEGER NOT NULL,
    client_time INTEGER NOT NULL,
    is_virtual INTEGER,
    state INTEGER NOT NULL,
    minutes INTEGER NOT NULL,
    os TEXT NOT NULL,
    version TEXT NOT NULL
) STRICT;

-- Requests since the host exists, by outcome and by the state that the client was in.
CREATE TABLE counter (
    publisher TEXT NOT NULL,
    product TEXT NOT NULL,
    code TEXT NOT NULL,
    state INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (publisher, product, code, state)
) STRICT;

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- What administrators did, and what the host did by itself.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    publisher TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- The last result of DNS publishing, by zone.
CREATE TABLE dns_result (
    zone TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
