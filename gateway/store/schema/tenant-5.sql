-- What is good no more before its time: access tokens that were revoked, programs' assertions that were used. `key`: keyed hash of its id.
-- `ends`: wall ns, when it is good for nothing anyway.
CREATE TABLE spent (key BLOB PRIMARY KEY, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX spent_ends ON spent (ends);
