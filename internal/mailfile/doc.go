// Package mailfile reads and writes mail in files of other programs: mbox (RFC 4155), Maildir and single messages (.eml).
// It knows nothing of stores; whoever imports or exports joins the two.
//
// # Reading
//
// [Open] opens a source, [Source.Messages] goes through it in a stable order. Each message can be opened any number of
// times, as it lies there: the store makes line ends CRLF. What is damaged is reported as a [*DamageError] and the rest
// goes on. Nothing holds a message or a line of unknown length in memory. Symbolic links inside a source are not followed.
//
// # Reading again
//
// A [Keyer] gives each message a key for mailstore.Envelope.Key that does not depend on where the source lies or how its
// line ends are written: the SHA-256 of the message's stored form, and how many equal ones came before it in the source. So
// the same source can be imported again after an interruption, after more mail was added to it, or converted from mbox
// to Maildir, and nothing comes twice; but two equal messages in one source are two messages, as they were there.
//
// # Line ends of files
//
// Stored bodies have CRLF, files of mail on Unix have LF. The writers turn CRLF into LF, and leave it where another CR stands
// before it, so that reading the file again gives the same octets. [WriterOptions].KeepCRLF keeps all.
package mailfile
