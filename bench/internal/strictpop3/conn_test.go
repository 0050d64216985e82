package strictpop3

import (
	"io"
	"net"
	"strings"
	"testing"
)

// over returns a Conn that reads text in pieces of n octets.
func over(text string, n int) *Conn {
	client, server := net.Pipe()
	go func() {
		for len(text) > 0 {
			k := min(n, len(text))
			io.WriteString(server, text[:k])
			text = text[k:]
		}
		server.Close()
	}()
	return New(client, make([]byte, 64))
}

func TestMulti(t *testing.T) {
	for _, tt := range []struct{ name, wire, want, err string }{
		{"empty", ".\r\n", "", ""},
		{"plain", "a\r\nb\r\n.\r\n", "a\r\nb\r\n", ""},
		{"stuffed", "..\r\n...x\r\na.b\r\n..\r\n.\r\n", ".\r\n..x\r\na.b\r\n.\r\n", ""},
		{"empty lines", "\r\n\r\n.\r\n", "\r\n\r\n", ""},
		{"long", strings.Repeat("x", 500) + "\r\n.\r\n", strings.Repeat("x", 500) + "\r\n", ""},
		{"unstuffed dot", "a\r\n.b\r\n.\r\n", "", "unstuffed dot"},
		{"bare LF before the end", "a\n.\r\n", "", "not ended by CRLF"},
		{"no end", "a\r\n", "", "unexpected EOF"},
	} {
		for n := 1; n <= len(tt.wire); n++ {
			var got strings.Builder
			octets, err := over(tt.wire, n).Multi(func(b []byte) { got.Write(b) })
			switch {
			case tt.err == "" && (err != nil || got.String() != tt.want || octets != int64(len(tt.want))):
				t.Errorf("%s in pieces of %d: %q, %d octets, %v", tt.name, n, got.String(), octets, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("%s in pieces of %d: error %v, want %s", tt.name, n, err, tt.err)
			}
		}
	}
}

func TestEachNumbered(t *testing.T) {
	for text, ok := range map[string]bool{
		"1 10\r\n2 20\r\n": true, "": true,
		"1 10\r\n3 20\r\n": false, "1\r\n": false, "x 10\r\n": false, "1 \r\n": false,
	} {
		if err := EachNumbered([]byte(text), func(int, []byte) error { return nil }); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOK(t *testing.T) {
	for text, ok := range map[string]bool{
		"+OK\r\n": true, "+OK hi\r\n": true, "+OKAY\r\n": false, "-ERR no\r\n": false, "+OK\n": false, "": false,
	} {
		if _, err := over(text, 3).OK(); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
