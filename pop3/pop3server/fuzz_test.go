package pop3server_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

// FuzzSession plays arbitrary octets in every state: before sign-in, in a SASL exchange, with an open maildrop, with a
// message marked. Whatever comes, the server does not panic or hang, its status lines are well-formed, and mail is
// removed only if a QUIT line came.
func FuzzSession(f *testing.F) {
	for _, in := range []string{
		"CAPA\r\nQUIT\r\n", "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 1\r\nDELE 2\r\nRSET\r\nNOOP\r\nQUIT\r\n", "AUTH PLAIN\r\n*\r\n",
		"AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2RlZg==\r\nAAAA\r\n", "AHVzZXIAcGFzcw==\r\n", "STLS\r\n\x16\x03\x01\x00\x01\x00", "\r\n\r\n",
		"RETR 1\r\nRETR 2\r\nRETR 3\r\n", "USER alice\r\nPASS looking-glass\r\nSTAT\r\n", "QUI", "QUIT", "NOOP\rQUIT\r\n", "TOP 3 99999999999\r\n",
	} {
		for state := range uint8(4) {
			f.Add([]byte(in), state)
		}
	}
	srv := start(f, func(o *pop3server.Options) { o.APOP, o.CRAMMD5, o.EnableLast = true, true, true })
	// Each run has an account of its own, so that nothing is left over from the one before.
	var mu sync.Mutex
	run := 0
	f.Fuzz(func(t *testing.T, in []byte, state uint8) {
		mu.Lock()
		run++
		name := "user" + strings.Repeat("x", run%50) + string(rune('a'+run%26))
		mu.Unlock()
		s := srv
		if err := s.mem.AddAccount(name, password); err != nil {
			t.Fatal(err)
		}
		for len(s.mem.UIDs(name)) < 2 {
			if _, err := s.mem.Deliver(name, []byte("Subject: x\n\n.dot\n\x00\xff\n")); err != nil {
				t.Fatal(err)
			}
		}
		before := len(s.mem.UIDs(name))
		prefix := []string{"", "AUTH PLAIN\r\n", "USER " + name + "\r\nPASS " + password + "\r\n", "USER " + name + "\r\nPASS " + password + "\r\nDELE 1\r\n"}[state%4]

		client, server := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.ServeConn(server) })
		var out bytes.Buffer
		wg.Go(func() { _, _ = io.Copy(&out, client) })
		_, _ = io.WriteString(client, prefix)
		_, _ = client.Write(in)
		_ = client.Close()
		wg.Wait()

		if left := len(s.mem.UIDs(name)); left < before && !bytes.Contains(bytes.ToUpper(in), []byte("QUIT\r\n")) {
			t.Errorf("%d of %d messages left without QUIT", left, before)
		}
		checkStream(t, out.Bytes())
	})
}

// checkStream checks that a server's octets are lines; the last may be cut.
func checkStream(t *testing.T, out []byte) {
	r := bufio.NewReader(bytes.NewReader(out))
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if first && !strings.HasPrefix(line, "+OK ") {
			t.Errorf("greeting %q", line)
		}
		if strings.HasPrefix(line, "+OK ") || strings.HasPrefix(line, "-ERR ") {
			checkStatus(t, strings.TrimSuffix(line, "\r\n"))
		}
	}
}
