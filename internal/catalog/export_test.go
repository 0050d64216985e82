package catalog

// Statements returns how many prepared statements tx's connection keeps.
func Statements(tx Tx) int { return len(tx.(*conn).stmts) }
