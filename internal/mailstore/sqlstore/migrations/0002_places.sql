-- From here on the last 24 bits of a body's id are its place in a file. Ids from before have chance there, so a catalog
-- with messages cannot be taken over: the constraint refuses it, and Open says what to do.

CREATE TABLE messages_before (n BIGINT NOT NULL CHECK (n = 0));
INSERT INTO messages_before (n) SELECT COUNT(*) FROM messages;
DROP TABLE messages_before;
