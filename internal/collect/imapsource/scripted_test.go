package imapsource_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/imapclient"
)

// A scripted server answers what it is told to, and is else content with everything.
type scripted struct {
	caps     string            // default: IMAP4rev1
	greeting string            // default: OK with caps
	answers  map[string]string // by command, lines behind which the connection goes on; empty: it hangs up
	// serve, if set, is asked first, and returns whether it has answered.
	serve func(line string, r *bufio.Reader, w io.Writer) bool
}

// folder is the answer to EXAMINE and SELECT of a folder with one message.
const folder = "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n"

func (s *scripted) run(conn net.Conn) {
	defer conn.Close()
	caps := cmp.Or(s.caps, "IMAP4rev1")
	_, _ = io.WriteString(conn, cmp.Or(s.greeting, "* OK [CAPABILITY "+caps+"] ready")+"\r\n")
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if s.serve != nil && s.serve(line, r, conn) {
			continue
		}
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		command, _, _ = strings.Cut(strings.TrimPrefix(command, "UID "), " ")
		text, known := s.answers[command]
		switch {
		case known && text == "":
			return
		case known:
			text = strings.ReplaceAll(text, "TAG", tag)
		case command == "LOGIN":
			text = tag + " OK [CAPABILITY " + caps + "] signed in"
		case command == "EXAMINE", command == "SELECT":
			text = folder + tag + " OK done"
		default:
			text = tag + " OK done"
		}
		if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
			return
		}
	}
}

// source returns a source at the server. A TLSConfig is the server's.
func (s *scripted) source(t *testing.T, change func(*imapsource.Options)) *imapsource.Source {
	t.Helper()
	opt := imapsource.Options{
		URL: "imap://bob@imap.example.com", Cleartext: true, Credentials: imapclient.Credentials{Password: secret},
		Client: imapclient.Options{Timeout: time.Minute},
	}
	var cert *tls.Config
	if change != nil {
		change(&opt)
		cert = opt.Client.TLSConfig
		opt.Client.TLSConfig = nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	opt.Client.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		near, err := new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = near.Close() })
		far, err := ln.Accept()
		if err != nil {
			return nil, err
		}
		if cert != nil {
			far = tls.Server(far, cert)
		}
		go s.run(far) // ends with the connection
		return near, nil
	}
	src, err := imapsource.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return src
}
