-- Maildrops, their messages and what was deleted. docs/storage-format.md explains each table.
-- The dialect is SQLite's only in WITHOUT ROWID, which keeps a maildrop's rows together.

CREATE TABLE drops (
    id               BIGINT PRIMARY KEY,
    revision         BIGINT NOT NULL,  -- grows with every change of what a session would see
    next_seq         BIGINT NOT NULL,  -- the sequence number of the next message
    packed_to        BIGINT NOT NULL,  -- messages below it are in packs, the others are the tail
    tail_deleted     BLOB   NOT NULL,  -- set: which of the tail are deleted, relative to packed_to
    messages         BIGINT NOT NULL,
    octets           BIGINT NOT NULL,
    deleted_messages BIGINT NOT NULL,
    deleted_octets   BIGINT NOT NULL,
    removed          BIGINT NOT NULL,  -- when the maildrop was removed, 0 if it was not
    purged           BIGINT NOT NULL   -- 1 when nothing of a removed maildrop is left but this row
) WITHOUT ROWID;
CREATE INDEX drops_to_purge ON drops (id) WHERE removed > 0 AND purged = 0;

CREATE TABLE messages (
    drop_id   BIGINT NOT NULL,
    seq       BIGINT NOT NULL,         -- order of delivery, from 0, never used again
    uid       TEXT   NOT NULL,
    given     BIGINT NOT NULL,         -- 1 if the unique-id came with the message
    body_id   BLOB   NOT NULL,
    octets    BIGINT NOT NULL,
    header    BIGINT NOT NULL,
    wire      BIGINT NOT NULL,
    sha256    BLOB   NOT NULL,
    received  BIGINT NOT NULL,         -- nanoseconds since 1970
    sender    TEXT   NOT NULL,
    recipient TEXT   NOT NULL,
    PRIMARY KEY (drop_id, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX messages_uid ON messages (drop_id, uid);
CREATE INDEX messages_body ON messages (body_id);

CREATE TABLE deletions (
    drop_id  BIGINT NOT NULL,
    chunk    BIGINT NOT NULL,          -- seq / 1024
    revision BIGINT NOT NULL,          -- of the update that deleted
    deleted  BIGINT NOT NULL,          -- nanoseconds since 1970
    seqs     BLOB   NOT NULL,          -- set: seq % 1024 of the deleted messages
    PRIMARY KEY (drop_id, chunk, revision)
) WITHOUT ROWID;
CREATE INDEX deletions_deleted ON deletions (deleted);

CREATE TABLE chunks (
    drop_id  BIGINT NOT NULL,
    chunk    BIGINT NOT NULL,
    edition  BIGINT NOT NULL,          -- grows when records of the pack are corrected
    messages BIGINT NOT NULL,          -- how many are in live
    live     BLOB   NOT NULL,          -- set: packed messages that are not deleted
    PRIMARY KEY (drop_id, chunk)
) WITHOUT ROWID;

CREATE TABLE packs (
    drop_id BIGINT NOT NULL,
    chunk   BIGINT NOT NULL,
    data    BLOB   NOT NULL,
    PRIMARY KEY (drop_id, chunk)
);

CREATE TABLE delivery_keys (
    drop_id      BIGINT NOT NULL,
    delivery_key TEXT   NOT NULL,
    uid          TEXT   NOT NULL,
    octets       BIGINT NOT NULL,
    PRIMARY KEY (drop_id, delivery_key)
) WITHOUT ROWID;

CREATE TABLE used_uids (
    drop_id BIGINT NOT NULL,
    uid     TEXT   NOT NULL,
    PRIMARY KEY (drop_id, uid)
) WITHOUT ROWID;
