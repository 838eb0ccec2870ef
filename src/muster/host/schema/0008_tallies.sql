-- How many machines were last seen, and how many seats end, in each hour: what counts a whole fleet
-- adds these up. Kept by who writes sightings and leases; made anew from them by a restore.

CREATE TABLE counted_hour (
    publisher TEXT NOT NULL,
    application TEXT NOT NULL,
    hour INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (publisher, application, hour)
) STRICT;
INSERT INTO counted_hour (publisher, application, hour, number)
    SELECT publisher, application, last_seen / 3600, count(*) FROM sighting
    WHERE last_seen > released GROUP BY publisher, application, last_seen / 3600;

CREATE TABLE seat_hour (
    publisher TEXT NOT NULL,
    grant_jti TEXT NOT NULL,
    hour INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (publisher, grant_jti, hour)
) STRICT;
INSERT INTO seat_hour (publisher, grant_jti, hour, number)
    SELECT publisher, grant_jti, ends / 3600, count(*) FROM
    (SELECT publisher, grant_jti, cmid, max(expires_at) AS ends FROM lease
    WHERE released_at = 0 GROUP BY publisher, grant_jti, cmid) AS seat
    GROUP BY publisher, grant_jti, ends / 3600;
