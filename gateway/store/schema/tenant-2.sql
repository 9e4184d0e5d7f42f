-- What was counted of wrong passwords. `key`: keyed hash of what is counted. `ends`: wall ns from which the row says nothing.
CREATE TABLE penalties (key BLOB PRIMARY KEY, ends INTEGER NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX penalties_ends ON penalties (ends);
