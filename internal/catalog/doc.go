// Package catalog is the SQL database beneath accounts and mail: it opens it, migrates it, groups concurrent writes into
// shared durable commits, and keeps a pool of readers. It is the only package that imports a database driver.
//
// Statements are the business of the packages that own the tables ([internal/account], [internal/mailstore/sqlstore]).
// They stay in the part of SQL that SQLite, PostgreSQL and CockroachDB share, with ?-placeholders; this package is the
// seam where another database comes in.
//
// # Guarantees
//
// [DB.Write] returns nil when the change survives a crash of process and machine (SQLite in WAL mode with
// synchronous=FULL), and otherwise keeps nothing of it. [DB.Read] sees one snapshot and waits for no writer. Several
// processes on one machine may have a catalog open at the same time: the command line works while the daemon runs. After a
// fault of the disk has passed, the next call works without reopening.
//
// # Bounds
//
// One connection writes, one copies the log in the background, and up to [Options.Readers] read; each keeps at most 256
// prepared statements and some megabytes of pages. Calls that write wait in a queue of [Options.Queue].
package catalog
