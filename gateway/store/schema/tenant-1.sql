-- One tenant's own file. Names are looked up by keyed hash; every other value is sealed under the tenant's key.
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE users (name_hash BLOB PRIMARY KEY, sealed BLOB NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE secrets (app_hash BLOB NOT NULL, header_hash BLOB NOT NULL, sealed BLOB NOT NULL, seen INTEGER NOT NULL,
    PRIMARY KEY (app_hash, header_hash)) WITHOUT ROWID;
CREATE TABLE sessions (key BLOB PRIMARY KEY, used INTEGER NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX sessions_used ON sessions (used);
