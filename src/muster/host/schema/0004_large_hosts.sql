-- What lists and counts of a large host walk along, so that none reads a table whole.

CREATE INDEX sighting_by_machine ON sighting (publisher, cmid, application, last_seen, released);
CREATE INDEX machine_by_time ON machine (last_seen DESC, publisher, cmid);
CREATE INDEX machine_by_publisher ON machine (publisher, last_seen DESC, cmid);
CREATE INDEX machine_by_name ON machine (lower(name), last_seen DESC, publisher, cmid);
CREATE INDEX machine_cloned ON machine (cloned_at) WHERE cloned_at > 0;
CREATE INDEX machine_by_cmid ON machine (cmid);
CREATE INDEX request_log_by_machine ON request_log (cmid, id);
CREATE INDEX lease_by_machine ON lease (publisher, cmid, released_at, expires_at);
