package sqlstore

// The statements, by table. They keep to the SQL that SQLite, PostgreSQL and CockroachDB share.

const (
	// sqlDeliver counts a message in and hands out its sequence number. It is the only statement that makes a drop.
	sqlDeliver = `INSERT INTO drops (id, revision, next_seq, packed_to, tail_deleted, messages, octets,
			deleted_messages, deleted_octets, removed, purged)
		VALUES (?, 1, 1, 0, ?, 1, ?, 0, 0, 0, 0)
		ON CONFLICT (id) DO UPDATE SET revision = drops.revision + 1, next_seq = drops.next_seq + 1,
			messages = drops.messages + 1, octets = drops.octets + excluded.octets
		RETURNING next_seq, packed_to, tail_deleted, removed`
	sqlDrop = `SELECT revision, next_seq, packed_to, tail_deleted, messages, octets, deleted_messages, deleted_octets, removed
		FROM drops WHERE id = ?`
	sqlRevision = `SELECT revision, removed FROM drops WHERE id = ?`
	sqlSetDrop  = `UPDATE drops SET revision = ?, packed_to = ?, tail_deleted = ?, messages = ?, octets = ?,
		deleted_messages = ?, deleted_octets = ? WHERE id = ?`
	sqlSetNextSeq  = `UPDATE drops SET next_seq = ? WHERE id = ?`
	sqlBumpDrop    = `UPDATE drops SET revision = revision + 1 WHERE id = ?`
	sqlSetPackedTo = `UPDATE drops SET packed_to = ?, tail_deleted = ? WHERE id = ?`
	sqlRemoveDrop  = `INSERT INTO drops (id, revision, next_seq, packed_to, tail_deleted, messages, octets,
			deleted_messages, deleted_octets, removed, purged)
		VALUES (?, 1, 0, 0, ?, 0, 0, 0, 0, ?, 0)
		ON CONFLICT (id) DO UPDATE SET revision = drops.revision + 1, packed_to = 0, tail_deleted = excluded.tail_deleted,
			messages = 0, octets = 0, deleted_messages = 0, deleted_octets = 0, removed = excluded.removed`
	sqlDropsToPurge = `SELECT id FROM drops WHERE removed > 0 AND purged = 0 ORDER BY id LIMIT 100`
	sqlIsRemoved    = `SELECT removed FROM drops WHERE id = ?`
	sqlSetPurged    = `UPDATE drops SET purged = 1 WHERE id = ?`
	sqlDropsFrom    = `SELECT id FROM drops WHERE id > ? AND removed = 0 ORDER BY id LIMIT 1000`
	sqlCountAll     = `SELECT COALESCE(SUM(messages + deleted_messages), 0) FROM drops WHERE removed = 0`
)

const (
	sqlInsertMessage = `INSERT INTO messages (drop_id, seq, uid, given, body_id, octets, header, wire, sha256, received,
		sender, recipient) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlListMessages = `SELECT seq, uid, body_id, octets, header, wire FROM messages
		WHERE drop_id = ? AND seq >= ? AND seq < ? ORDER BY seq`
	sqlInfo = `SELECT uid, octets, header, wire, sha256, received, sender, recipient FROM messages
		WHERE drop_id = ? AND seq = ?`
	sqlInfos = `SELECT seq, body_id, uid, octets, header, wire, sha256, received, sender, recipient FROM messages
		WHERE drop_id = ? AND seq >= ? AND seq < ? ORDER BY seq`
	sqlMessageToSweep = `SELECT uid, given, body_id, octets FROM messages WHERE drop_id = ? AND seq = ?`
	sqlOctets         = `SELECT octets FROM messages WHERE drop_id = ? AND seq = ?`
	sqlSetFacts       = `UPDATE messages SET header = ?, wire = ? WHERE drop_id = ? AND seq = ?`
	sqlDeleteMessage  = `DELETE FROM messages WHERE drop_id = ? AND seq = ?`
	sqlIsUsed         = `SELECT COUNT(*) FROM (SELECT 1 AS used FROM messages WHERE body_id >= ? AND body_id <= ? LIMIT 1) AS some`
	sqlCountMessages  = `SELECT COUNT(*) FROM messages WHERE drop_id = ? AND seq >= ? AND seq < ?`
	sqlLastMessage    = `SELECT COALESCE(MAX(seq), -1) FROM messages WHERE drop_id = ?`
	sqlFirstMessages  = `SELECT seq, body_id, octets FROM messages WHERE drop_id = ? ORDER BY seq LIMIT ?`
)

const (
	sqlInsertDeletion = `INSERT INTO deletions (drop_id, revision, chunk, deleted, seqs) VALUES (?, ?, ?, ?, ?)`
	sqlDeletions      = `SELECT revision, chunk, deleted, seqs FROM deletions WHERE drop_id = ? AND deleted >= ?
		ORDER BY revision, chunk`
	sqlAllDeletions = `SELECT revision, chunk, deleted, seqs FROM deletions WHERE drop_id = ? ORDER BY chunk, revision`
	sqlOldDeletions = `SELECT drop_id, revision, chunk, seqs FROM deletions WHERE deleted <= ?
		ORDER BY deleted, drop_id, revision, chunk LIMIT ?`
	sqlSetDeletion    = `UPDATE deletions SET seqs = ? WHERE drop_id = ? AND revision = ? AND chunk = ?`
	sqlDeleteDeletion = `DELETE FROM deletions WHERE drop_id = ? AND revision = ? AND chunk = ?`
	sqlPurgeDeletions = `DELETE FROM deletions WHERE drop_id = ? AND chunk <=
		(SELECT MIN(chunk) + 64 FROM deletions AS some WHERE drop_id = ?)`
)

const (
	sqlLiveChunks = `SELECT chunk, edition, live FROM chunks WHERE drop_id = ? AND messages > 0 ORDER BY chunk`
	sqlAllChunks  = `SELECT chunk, edition, live FROM chunks WHERE drop_id = ? ORDER BY chunk`
	sqlChunk      = `SELECT edition, live FROM chunks WHERE drop_id = ? AND chunk = ?`
	sqlSetChunk   = `INSERT INTO chunks (drop_id, chunk, edition, messages, live) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (drop_id, chunk) DO UPDATE SET edition = excluded.edition, messages = excluded.messages,
			live = excluded.live`
	sqlEditions    = `SELECT chunk, edition FROM chunks WHERE drop_id = ?`
	sqlDeleteChunk = `DELETE FROM chunks WHERE drop_id = ? AND chunk = ?`
	sqlPurgeChunks = `DELETE FROM chunks WHERE drop_id = ? AND chunk <=
		(SELECT MIN(chunk) + 64 FROM chunks AS some WHERE drop_id = ?)`
	sqlPack    = `SELECT data FROM packs WHERE drop_id = ? AND chunk = ?`
	sqlSetPack = `INSERT INTO packs (drop_id, chunk, data) VALUES (?, ?, ?)
		ON CONFLICT (drop_id, chunk) DO UPDATE SET data = excluded.data`
	sqlDeletePack = `DELETE FROM packs WHERE drop_id = ? AND chunk = ?`
	sqlPurgePacks = `DELETE FROM packs WHERE drop_id = ? AND chunk <=
		(SELECT MIN(chunk) + 64 FROM packs AS some WHERE drop_id = ?)`
)

const (
	sqlKey       = `SELECT uid, octets FROM delivery_keys WHERE drop_id = ? AND delivery_key = ?`
	sqlInsertKey = `INSERT INTO delivery_keys (drop_id, delivery_key, uid, octets) VALUES (?, ?, ?, ?)`
	sqlPurgeKeys = `DELETE FROM delivery_keys WHERE drop_id = ? AND delivery_key IN
		(SELECT delivery_key FROM delivery_keys AS some WHERE drop_id = ? LIMIT 1000)`
	sqlUIDWasUsed = `SELECT COUNT(*) FROM used_uids WHERE drop_id = ? AND uid = ?`
	sqlInsertUsed = `INSERT INTO used_uids (drop_id, uid) VALUES (?, ?) ON CONFLICT (drop_id, uid) DO NOTHING`
	sqlPurgeUsed  = `DELETE FROM used_uids WHERE drop_id = ? AND uid IN
		(SELECT uid FROM used_uids AS some WHERE drop_id = ? LIMIT 1000)`
)
