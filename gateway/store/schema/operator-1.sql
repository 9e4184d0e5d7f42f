-- The operator's file: which tenants there are, their keys wrapped under the root key, and the signing key, sealed.
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE tenants (id BLOB PRIMARY KEY, name TEXT NOT NULL, service TEXT NOT NULL, wrapped_key BLOB NOT NULL) WITHOUT ROWID;
