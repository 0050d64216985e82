package pop3test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Bounds of a transcript. They hold for the file and for what the server sends.
const (
	// MaxTranscript is the largest file, in octets.
	MaxTranscript = 4 << 20
	// MaxTranscriptMessage is the largest message that a file can describe, in octets.
	MaxTranscriptMessage = 16 << 20
	// MaxTranscriptLine is the longest line of a server that is read.
	MaxTranscriptLine = 4 << 20
	// MaxTranscriptLines is the most lines of one multi-line response that S-HAS and its kin look through.
	MaxTranscriptLines = 100_000
	// TranscriptTimeout bounds each step of a transcript.
	TranscriptTimeout = 20 * time.Second
)

// A Transcript is a dialogue with a POP3 server, and what the server must have for it: the way the RFCs show examples, in
// a form that can be played. See the package comment for the form of the file.
type Transcript struct {
	// Name is the file's name, for messages.
	Name string
	// Comment is the text in front of the file's first section.
	Comment string
	// Accounts are those that must exist, with nothing but these messages in their maildrops.
	Accounts []Account
	// Options are words that say what the server must be set up to do. They mean something to those who write the file
	// and run it, not to this package.
	Options []string

	steps []transcriptStep
}

// An Account is somebody that a transcript signs in as.
type Account struct {
	User, Password string
	// Messages are the maildrop, in delivery order.
	Messages []Message
}

// A Message is a message that a transcript finds in a maildrop.
type Message struct {
	// UID is the unique-id that the transcript expects, or empty if any will do.
	UID string
	// Octets are the message as it was delivered: any line ends, any last line.
	Octets []byte
}

// Has reports whether the transcript asks for the option.
func (tr *Transcript) Has(option string) bool { return slices.Contains(tr.Options, option) }

// UsesTLS reports whether the transcript turns a connection to TLS on its way (STLS), so that it must begin in the clear.
func (tr *Transcript) UsesTLS() bool {
	return slices.ContainsFunc(tr.steps, func(s transcriptStep) bool { return s.kind == "C-TLS" })
}

// A Target is the server that a transcript is played to: any POP3 server, not only those of this module.
type Target struct {
	// Dial connects to the server. A transcript calls it once for each connection. With implicit TLS it returns the TLS
	// connection.
	Dial func(ctx context.Context) (net.Conn, error)
	// TLS is the client's configuration for STLS. Transcripts without STLS do without it.
	TLS *tls.Config
}

// LoadTranscript reads a file. It fails the test if the file is not there or not well-formed.
func LoadTranscript(tb testing.TB, file string) *Transcript {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	tr, err := ParseTranscript(filepath.Base(file), data)
	if err != nil {
		tb.Fatal(err)
	}
	return tr
}

// RunTranscript plays the transcript to the server and fails the test, with the file's line, where the server does
// anything else than what is written. The accounts must be there already.
func RunTranscript(tb testing.TB, target Target, tr *Transcript) {
	tb.Helper()
	if err := tr.Play(tb.Context(), target); err != nil {
		tb.Fatal(err)
	}
}
