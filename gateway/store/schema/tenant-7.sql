-- Rows of sessions say more: who has one logs in again. `sub`, `sid`: keyed hashes of the provider and what it calls its user, or the session
-- there; NULL: it says none.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN sub BLOB;
ALTER TABLE sessions ADD COLUMN sid BLOB;
CREATE INDEX sessions_sub ON sessions (sub) WHERE sub IS NOT NULL;
CREATE INDEX sessions_sid ON sessions (sid) WHERE sid IS NOT NULL;
