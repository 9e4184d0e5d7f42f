-- Passwords that users chose themselves, in place of the one in the tenant's file for as long as that is `instead_of` (keyed hash).
CREATE TABLE passwords (name_hash BLOB PRIMARY KEY, instead_of BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
