package catalog

// Waiting returns how many calls stand in the queue.
func (db *DB) Waiting() int { return len(db.w.queue) }

// Statements returns how many prepared statements tx's connection keeps.
func Statements(tx Tx) int { return len(tx.(*conn).stmts) }
