// Package faultfs is a file system for tests that fails on purpose: the n-th operation returns ENOSPC, EIO or EROFS, or
// writes only a part, or the whole machine stops there. After a stop, [FS.Crash] leaves in the folder only what was
// durable: content that no Sync covered, new names in a folder that was not synced, and removals that were not, are lost
// or undone. With it a test counts the operations of something in a dry run and then breaks each of them in turn.
//
// The model is harsher than most disks: fsync of a file does not make its name durable, and after a failed fsync the
// content is lost even if the next fsync says nothing (which is what Linux does).
package faultfs
