-- Who did what the audit tells; of entries that are there already nobody knows.

ALTER TABLE audit ADD COLUMN actor TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE audit ADD COLUMN sudo TEXT NOT NULL DEFAULT '';
