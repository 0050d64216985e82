// Package body keeps the bodies of messages: immutable runs of octets in the form in which POP3 sends them, in files (or, in
// another implementation of [Store], objects). It knows nothing of maildrops; the catalog says which bodies mean something.
//
// A body of [MaxLoad] octets or more has a file alone. Smaller ones that are finished at the same time share one, a bundle,
// because making a file durable is what a small body costs.
//
// # Form
//
// Every line of a stored body ends with CRLF, and nothing is byte-stuffed. A bare LF becomes CRLF and a missing last line
// end is added. A bare CR is an octet like any other and stays, also as the very last one, where CRLF follows it. NULs and
// 8-bit octets stay. The empty message has 0 octets. [Facts] are found while the octets stream through; nothing holds a
// whole message.
//
// # Crashes
//
// A file is written under its final name and never renamed: a row of the catalog is what makes a body exist. So the
// order is [Writer.Finish], which makes the body durable, and then the commit of the catalog. A crash before that
// leaves a file that nothing refers to, or a body without meaning in a bundle; [Store.Walk] finds files, and
// [Store.Remove] takes them away. A body of a bundle whose row was refused is released: its room comes back, and its
// file goes with the others.
//
// # Errors
//
// Errors of the disk wrap the [syscall.Errno], so that errors.Is(err, syscall.ENOSPC) and the like hold. After an error the
// store is as usable as the disk beneath it.
package body
