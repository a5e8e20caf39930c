-- Names of sources, operations, endpoints and hosts, each stored once. Bounded: see names.rs.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One row for each chain, exact after every transaction, so that lists never read entries.
CREATE TABLE chains (
    id              INTEGER PRIMARY KEY,
    correlation_id  TEXT    NOT NULL UNIQUE,
    entries         INTEGER NOT NULL,
    enters          INTEGER NOT NULL,
    leaves          INTEGER NOT NULL,
    first_timestamp REAL    NOT NULL,
    last_timestamp  REAL    NOT NULL,
    -- The newest entry's id orders chains by activity, and unlike a clock it never ties.
    last_entry_id   INTEGER NOT NULL,
    -- A JSON array of source ids, sorted.
    sources         TEXT    NOT NULL
) STRICT;
CREATE INDEX chains_by_activity ON chains (last_entry_id);

-- Entries in the order of their arrival; the id is the event id of the live streams.
-- source, operation, endpoint and hostname hold a names.id, or the text itself once the dictionary is full.
-- direction holds 0 (->), 1 (<-) or the text of a mark. Integers 0 and 1 take no byte on disk.
CREATE TABLE entries (
    id        INTEGER PRIMARY KEY,
    chain     INTEGER NOT NULL,
    timestamp REAL    NOT NULL,
    suffix    TEXT    NOT NULL,
    source    ANY     NOT NULL,
    direction ANY     NOT NULL,
    operation ANY     NOT NULL,
    endpoint  ANY     NOT NULL,
    hostname  ANY     NOT NULL,
    data      TEXT,
    raw_line  TEXT
) STRICT;
-- An entry's identity. It also serves the chain query: one range, in time order.
CREATE UNIQUE INDEX entries_identity ON entries (chain, timestamp, suffix, source, direction);

-- When entries arrived, one row for each second in which any did: all ids from first_entry_id up to the next row's.
-- A column of entries would cost six bytes each to say the same.
CREATE TABLE arrivals (
    first_entry_id INTEGER PRIMARY KEY,
    arrived_at     INTEGER NOT NULL
) STRICT;

-- The id that the next entry gets. Ids are never given twice, even after every entry was deleted.
CREATE TABLE sequence (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    next_entry_id INTEGER NOT NULL
) STRICT;
INSERT INTO sequence VALUES (1, 1);
