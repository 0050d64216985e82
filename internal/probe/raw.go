package probe

import (
	"bytes"
	"net"
	"strings"
	"time"
)

const (
	// maxRecorded is how much of what a server sends is kept to be looked at.
	maxRecorded = 64 << 10
	// togetherTimeout is how long the answers to commands sent together may take.
	togetherTimeout = 5 * time.Second
)

// A recorder keeps the first octets that a server sends.
type recorder struct {
	net.Conn
	octets []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.octets = append(r.octets, p[:min(n, maxRecorded-len(r.octets))]...)
	return n, err
}

// quirks returns what is odd in the form of the octets.
func (r *recorder) quirks() []string {
	var found []string
	if n := bytes.Count(r.octets, []byte("\n")); n > bytes.Count(r.octets, []byte("\r\n")) {
		found = append(found, "bare-lf")
	}
	for line := range strings.Lines(string(r.octets)) {
		line = strings.TrimRight(line, "\r\n")
		if upper := strings.ToUpper(line); (strings.HasPrefix(upper, "+OK") || strings.HasPrefix(upper, "-ERR")) && !strings.HasPrefix(line, upper[:3]) {
			return append(found, "odd-status")
		}
	}
	return found
}

// together sends CAPA twice in one piece, and tells whether both are answered (RFC 2449 §6.6).
func together(conn net.Conn) bool {
	if conn.SetDeadline(time.Now().Add(togetherTimeout)) != nil {
		return false
	}
	if _, err := conn.Write([]byte("CAPA\r\nCAPA\r\n")); err != nil {
		return false
	}
	var seen []byte
	for buf := make([]byte, 4096); bytes.Count(seen, []byte("\n.\r\n")) < 2 || !bytes.HasSuffix(seen, []byte("\n.\r\n")); {
		n, err := conn.Read(buf)
		if seen = append(seen, buf[:n]...); err != nil || len(seen) > maxRecorded {
			return false
		}
	}
	return bytes.HasPrefix(seen, []byte("+OK")) && conn.SetDeadline(time.Now().Add(ConnectTimeout)) == nil
}
