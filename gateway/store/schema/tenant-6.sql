-- When programs' keys were last used. `key`: keyed hash of the program's name and the key's SHA-256. `used`: wall ns. `seen`: as of users.
CREATE TABLE api_keys (key BLOB PRIMARY KEY, used INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;
