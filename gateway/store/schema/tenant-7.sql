-- Rows of sessions say more: who has one logs in again.
DELETE FROM sessions;
