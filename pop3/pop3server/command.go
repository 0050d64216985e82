package pop3server

import (
	"bytes"

	"github.com/postamt/postamt/pop3"
)

// A command is one of the commands we know.
type command struct {
	verb string
	in   uint8 // a bit for each pop3.State in which it is allowed
	args bool  // takes arguments
	deep bool  // needs a deep stack
	run  func(c *Conn, arg []byte) error
}

const (
	inAuth  = 1 << pop3.StateAuthorization
	inTrans = 1 << pop3.StateTransaction
)

// maxVerb is the longest keyword that a command can have (RFC 2449 §3 allows no more than the four of RFC 1939).
const maxVerb = 4

// unknown stands for what is no command.
var unknown = &command{verb: "?"}

// lookup finds a command by its keyword in upper case.
func lookup(verb string) *command {
	switch verb {
	case "STAT":
		return &cmdStat
	case "LIST":
		return &cmdList
	case "UIDL":
		return &cmdUIDL
	case "RETR":
		return &cmdRetr
	case "TOP":
		return &cmdTop
	case "DELE":
		return &cmdDele
	case "NOOP":
		return &cmdNoop
	case "RSET":
		return &cmdRset
	case "QUIT":
		return &cmdQuit
	case "CAPA":
		return &cmdCapa
	case "STLS":
		return &cmdStls
	case "USER":
		return &cmdUser
	case "PASS":
		return &cmdPass
	case "AUTH":
		return &cmdAuth
	case "APOP":
		return &cmdApop
	case "LAST":
		return &cmdLast
	}
	return unknown
}

// parse takes a line apart: a keyword, and after exactly one space its arguments, nil if there is no space. Spaces that
// are too many are not forgiven, for they belong to a password (RFC 1939 §7 PASS).
func parse(line []byte) (cmd *command, arg []byte, err error) {
	verb := line
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		verb, arg = line[:i], line[i+1:]
	}
	if len(verb) > maxVerb {
		return unknown, nil, errUnknown
	}
	var upper [maxVerb]byte
	for i, c := range verb {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	cmd = lookup(string(upper[:len(verb)]))
	switch {
	case cmd == unknown:
		return unknown, nil, errUnknown
	case len(line)+len("\r\n") > pop3.MaxCommand && cmd != &cmdAuth:
		return cmd, nil, errLineTooLong
	case arg != nil && !printable(arg):
		// RFC 2449 §3; UTF-8 would need RFC 6856.
		return cmd, nil, errNotASCII
	}
	return cmd, arg, nil
}

// printable reports whether s is visible ASCII and spaces.
func printable(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
