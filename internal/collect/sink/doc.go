// Package sink has the places where the collector puts mail: a maildrop here, a Maildir, an mbox, a program, another
// server by LMTP or SMTP. Each is one file and a [collect.Sink]. Sinks may be used concurrently, a delivery by one goroutine.
//
// # Guarantees
//
// A nil from Commit means that the message is durable: file and folder were synced, or the program or the server said that
// it has it. Abort leaves nothing that anybody would take for a message. Whatever says nothing about the message itself,
// such as a full disk, a missing program, a server that is away or a refused sign-in, is a [*collect.TemporaryError].
// Nothing holds a message in memory.
//
// Store, Maildir and mbox are safe: they know a letter by its key, however often and after whatever crash it is delivered
// again. How long and what else bounds that is written at each of them. Pipe, LMTP and SMTP cannot know whether the other
// side took a message when the answer is lost: after a crash the one in flight may come twice.
//
// # Octets
//
// Store, LMTP and SMTP give on what came with CRLF line ends. Maildir and mbox have LF like other programs on Unix, unless
// told otherwise; a CRLF after another CR is left alone, so that nothing is lost when they are read again. Where the
// format or the protocol wants a line end at the end (mbox, LMTP, SMTP, store), a missing one is added.
package sink
