package pop3server

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

// TestDefaults pins what the zero Options mean.
func TestDefaults(t *testing.T) {
	t.Parallel()
	o := Options{Hostname: "mx.example.org\r\n<x>"}.withDefaults()
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"Cleartext", o.Cleartext, CleartextNever},
		{"Hostname", o.Hostname, "mx.example.orgx"},
		{"Greeting", o.Greeting, "POP3 server ready"},
		{"IdleTimeout", o.IdleTimeout, 10 * time.Minute},
		{"HandshakeTimeout", o.HandshakeTimeout, 10 * time.Second},
		{"WriteTimeout", o.WriteTimeout, time.Minute},
		{"BackendTimeout", o.BackendTimeout, time.Minute},
		{"PeerTimeout", o.PeerTimeout, 30 * time.Second},
		{"MaxConns", o.MaxConns, 20_000},
		{"MaxConnsPerAddr", o.MaxConnsPerAddr, 100},
		{"MaxConnsPerUser", o.MaxConnsPerUser, 10},
		{"MaxPreAuthOctets", o.MaxPreAuthOctets, int64(64 << 10)},
		{"MaxBadCommands", o.MaxBadCommands, 20},
		{"MaxFailedAuths", o.MaxFailedAuths, 5},
		{"SASLLineLimit", o.SASLLineLimit, 12288},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	o = Options{
		Hostname: "\x00", Greeting: "<>", IdleTimeout: time.Minute, MaxConns: -1, SASLLineLimit: 1, Implementation: strings.Repeat("x", 600),
	}.withDefaults()
	if o.Hostname != "localhost" || o.IdleTimeout != 10*time.Minute || o.MaxConns != -1 || o.SASLLineLimit != 255 || o.Implementation != "" {
		t.Errorf("odd values became %+v", o)
	}
	if over(1<<30, o.MaxConns) || !over(2, 1) || over(1, 1) {
		t.Error("over is wrong")
	}
}

func TestNewNeedsBackend(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("New without a Backend")
		}
	}()
	New(Options{})
}

// TestTLSConfigIsCopied: the caller's configuration stays as it was, what it says stricter than we do holds.
func TestTLSConfigIsCopied(t *testing.T) {
	t.Parallel()
	cfg := &tls.Config{Certificates: make([]tls.Certificate, 1), MinVersion: tls.VersionTLS13, NextProtos: []string{"x"}}
	s := New(Options{Backend: new(scripted), TLSConfig: cfg})
	if cfg.GetConfigForClient != nil || cfg.DynamicRecordSizingDisabled {
		t.Error("the caller's configuration was changed")
	}
	if s.tls.MinVersion != tls.VersionTLS13 || s.tls.NextProtos[0] != "x" {
		t.Errorf("copy: %x, %q", s.tls.MinVersion, s.tls.NextProtos)
	}
	weak := New(Options{Backend: new(scripted), TLSConfig: &tls.Config{Certificates: make([]tls.Certificate, 1), MinVersion: tls.VersionTLS10}}).tls
	if weak.MinVersion != tls.VersionTLS12 || weak.NextProtos[0] != "pop3" {
		t.Errorf("hardened: %x, %q", weak.MinVersion, weak.NextProtos)
	}
}

// TestTopCut finds the same end wherever the message is cut into chunks.
func TestTopCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		lines int64
		want  int
	}{
		{"H: x\r\n\r\nb\r\n", 0, 8},
		{"H: x\r\n\r\nb\r\nc\r\n", 1, 11},
		{"H: x\n\nb\nc\n", 1, 8},
		{"H: x\r\n\r\r\n\r\nb\r\n", 0, 11}, // CR CR LF is not an empty line
		{"H: x\r\n \r\n\r\nb", 0, 11},
		{"\r\nb", 0, 2},
		{"H: x\r\nno body", 5, 13},
		{"H: x\r\n\r\nb", 5, 9},
		{"\r", 0, 1},
		{"", 0, 0},
	} {
		for i := range len(tt.in) + 1 {
			cut := topCut{lines: tt.lines, blank: true}
			n, done := cut.next([]byte(tt.in[:i]))
			if !done {
				var m int
				m, _ = cut.next([]byte(tt.in[i:]))
				n += m
			}
			if n != tt.want {
				t.Errorf("%q, %d lines, cut after %d: top has %d octets, want %d", tt.in, tt.lines, i, n, tt.want)
			}
		}
	}
}
