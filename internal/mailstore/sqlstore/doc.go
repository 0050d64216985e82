// Package sqlstore is the store of Postamt: a [mailstore.Store] with its catalog in SQL and message bodies beside it.
//
// The order of writes is what makes it safe. A delivery makes the body's content durable, then its name, then commits the
// rows; a body without a row means nothing and is swept a day later. A deletion is rows only; bodies go long after, when
// the rows that refer to them are durably gone. docs/storage-format.md describes tables, packed listings and crashes.
//
// The truth is in the tables drops, messages, deletions, delivery_keys and used_uids. The tables chunks and packs, the
// column tail_deleted and the counters follow from it and make opening a maildrop cheap; [Store.Check] compares them and
// can build them anew.
package sqlstore
