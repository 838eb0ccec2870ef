-- Tables of a manager: the inventory. Times are Unix seconds.

-- A machine is known by its name: a DNS name in lower case, or an address. The address is '' where
-- the name is asked for it, the port 0 where it is that of SSH, the account '' where it is whoever
-- asks.
CREATE TABLE machine (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),
    account TEXT NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;

-- Which inventories list a machine, and when each last did.
CREATE TABLE machine_source (
    machine INTEGER NOT NULL REFERENCES machine (id),
    source TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (machine, source)
) STRICT;

-- Groups are an inventory's: reading it again sets them anew.
CREATE TABLE machine_group (
    machine INTEGER NOT NULL REFERENCES machine (id),
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (machine, source, name)
) STRICT;

-- Tags are an administrator's: nothing but a command changes them.
CREATE TABLE machine_tag (
    machine INTEGER NOT NULL REFERENCES machine (id),
    name TEXT NOT NULL,
    PRIMARY KEY (machine, name)
) STRICT;

CREATE TABLE saved_filter (
    name TEXT NOT NULL PRIMARY KEY,
    terms TEXT NOT NULL,
    saved_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    sudo TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
