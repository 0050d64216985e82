// Package catalog is the SQL database beneath accounts and mail: it opens it, migrates it, groups concurrent writes into
// shared durable commits, and keeps a pool of readers. It is the only package that imports a database driver.
//
// Statements are the business of the packages that own the tables ([internal/account], [internal/mailstore/sqlstore]).
// They stay in the part of SQL that SQLite, PostgreSQL and CockroachDB share, with ?-placeholders; this package is the
// seam where another database comes in.
package catalog
