-- Where entries are logged, each place stored once. Bounded: see sites.rs.
CREATE TABLE sites (
    id        INTEGER PRIMARY KEY,
    source    TEXT NOT NULL,
    operation TEXT NOT NULL,
    endpoint  TEXT NOT NULL,
    hostname  TEXT NOT NULL
) STRICT;

-- One row for each chain, so that lists never read entries. A row is made with the chain's first entry and counts those
-- up to last_entry_id; what came later is in memory and is counted again after a crash (see recent.rs).
CREATE TABLE chains (
    id              INTEGER PRIMARY KEY,
    correlation_id  TEXT    NOT NULL UNIQUE,
    entries         INTEGER NOT NULL,
    enters          INTEGER NOT NULL,
    leaves          INTEGER NOT NULL,
    first_timestamp REAL,
    last_timestamp  REAL,
    -- The newest entry's id orders chains by activity, and unlike a clock it never ties.
    last_entry_id   INTEGER NOT NULL,
    -- A JSON array of source ids, sorted.
    sources         TEXT    NOT NULL,
    -- The numbers of sites, encoded as id_list.rs says; 0 stands for those that are not listed.
    sites           BLOB    NOT NULL
) STRICT;
CREATE INDEX chains_by_activity ON chains (last_entry_id) WHERE last_entry_id > 0;
-- Which requests never came back? Most did, so this is small.
CREATE INDEX chains_incomplete ON chains (last_entry_id) WHERE last_entry_id > 0 AND NOT (enters > 0 AND enters = leaves);

-- Which entries a chain has: blocks of ids in growing order, encoded as id_list.rs says. A table of blocks and not an
-- index of entries, because an index would change a page for each entry of each chain that is alive.
CREATE TABLE chain_entries (
    chain   INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    ids     BLOB    NOT NULL,
    PRIMARY KEY (chain, last_id)
) STRICT, WITHOUT ROWID;

-- Entries in the order of their arrival; the id is the event id of the live streams.
-- site holds a sites.id, or a JSON array of the four names once the dictionary is full.
-- direction holds 0 (->), 1 (<-) or the text of a mark. Integers 0 and 1 take no byte on disk.
CREATE TABLE entries (
    id        INTEGER PRIMARY KEY,
    chain     INTEGER NOT NULL,
    timestamp REAL    NOT NULL,
    suffix    TEXT    NOT NULL,
    site      ANY     NOT NULL,
    direction ANY     NOT NULL,
    data      TEXT,
    raw_line  TEXT
) STRICT;

-- A hash table of the entries' identities, which finds duplicates. How keys are made: see identity.rs.
CREATE TABLE identities (
    key      INTEGER PRIMARY KEY,
    entry_id INTEGER NOT NULL
) STRICT;

-- Keys of identities that other entries were displaced by, and the newest of those: the key stays taken until it is gone.
CREATE TABLE identity_collisions (
    key             INTEGER PRIMARY KEY,
    newest_entry_id INTEGER NOT NULL
) STRICT;
CREATE INDEX identity_collisions_by_age ON identity_collisions (newest_entry_id);

-- When entries arrived, one row for each second in which any did: all ids from first_entry_id up to the next row's.
-- A column of entries would cost six bytes each to say the same.
CREATE TABLE arrivals (
    first_entry_id INTEGER PRIMARY KEY,
    arrived_at     INTEGER NOT NULL
) STRICT;

-- next_entry_id: the id that the next entry gets at least. Ids are never given twice, even after every entry was deleted.
-- identity_seed: makes the keys of identities unpredictable to senders.
-- listed_to: every entry up to this id is counted in its chain's row and stands in its chain's blocks.
CREATE TABLE sequence (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    next_entry_id INTEGER NOT NULL,
    listed_to     INTEGER NOT NULL,
    identity_seed INTEGER NOT NULL
) STRICT;
INSERT INTO sequence VALUES (1, 1, 0, random());
