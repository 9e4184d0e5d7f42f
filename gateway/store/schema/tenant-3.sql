-- Authenticators (FIDO2). `id`: keyed hash of the credential's id. `counter`, `used` (wall ns): of its last use.
CREATE TABLE authenticators (id BLOB PRIMARY KEY, name_hash BLOB NOT NULL, counter INTEGER NOT NULL, used INTEGER NOT NULL,
    sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX authenticators_user ON authenticators (name_hash);
-- What is good once: links and recovery codes. `key`: keyed hash of it. `ends`: wall ns.
CREATE TABLE vouchers (key BLOB PRIMARY KEY, name_hash BLOB NOT NULL, kind INTEGER NOT NULL, ends INTEGER NOT NULL,
    sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX vouchers_user ON vouchers (name_hash, kind);
CREATE INDEX vouchers_ends ON vouchers (ends);
