package pop3server_test

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// TestTranscripts plays testdata/*.txtar, each over a pipe, over TCP and over TLS from the start. The examples of the RFCs
// are in rfcNNNN-*.txtar, the rest is named for the items of the conformance checklist that it covers.
//
// The words of option lines: plain-only and tls-only say over what a file can be played; cleartext-never, apop, cram-md5,
// last and "implementation NAME" are the Options of the same names.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("testdata has %d transcripts (%v)", len(files), err)
	}
	for _, file := range files {
		tr := pop3test.LoadTranscript(t, file)
		for _, over := range []struct {
			name string
			skip string
			dial func(*testing.T, *pop3server.Server) func(context.Context) (net.Conn, error)
		}{
			{"pipe", "tls-only", dialPipe},
			{"tcp", "tls-only", dialTCP},
			{"tls", "plain-only", dialTLS},
		} {
			if tr.Has(over.skip) {
				continue
			}
			t.Run(strings.TrimSuffix(tr.Name, ".txtar")+"/"+over.name, func(t *testing.T) {
				t.Parallel()
				cert, roots := pop3test.NewCertificate(t, "mail.example")
				srv := transcriptServer(t, tr, cert)
				client := &tls.Config{RootCAs: roots, ServerName: "mail.example", NextProtos: []string{"pop3"}}
				dial := over.dial(t, srv)
				pop3test.RunTranscript(t, pop3test.Target{
					Dial: func(ctx context.Context) (net.Conn, error) {
						conn, err := dial(ctx)
						if err == nil && over.name == "tls" {
							return tls.Client(conn, client), nil
						}
						return conn, err
					},
					TLS: client,
				}, tr)
			})
		}
	}
}

// transcriptServer starts a server that has what the transcript asks for.
func transcriptServer(t *testing.T, tr *pop3test.Transcript, cert tls.Certificate) *pop3server.Server {
	t.Helper()
	mem := &pop3mem.Backend{Secrets: tr.Has("apop") || tr.Has("cram-md5")}
	opt := pop3server.Options{
		Backend:   mem,
		Cleartext: pop3server.CleartextLoopback,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		Hostname:  "mail.example",
	}
	for _, word := range tr.Options {
		word, value, _ := strings.Cut(word, " ")
		switch word {
		case "plain-only", "tls-only":
		case "cleartext-never":
			opt.Cleartext = pop3server.CleartextNever
		case "apop":
			opt.APOP = true
		case "cram-md5":
			opt.CRAMMD5 = true
		case "last":
			opt.EnableLast = true
		case "implementation":
			opt.Implementation = value
		default:
			t.Fatalf("%s: unknown option %q", tr.Name, word)
		}
	}
	for _, a := range tr.Accounts {
		if err := mem.AddAccount(a.User, a.Password); err != nil {
			t.Fatal(err)
		}
		for _, m := range a.Messages {
			var err error
			if m.UID != "" {
				err = mem.DeliverUID(a.User, m.UID, m.Octets)
			} else {
				_, err = mem.Deliver(a.User, m.Octets)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	srv := pop3server.New(opt)
	t.Cleanup(func() { _ = srv.Close() })
	return srv
}

func dialPipe(t *testing.T, srv *pop3server.Server) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = srv.ServeConn(server)
		}()
		t.Cleanup(func() {
			_ = client.Close()
			<-served
		})
		return client, nil
	}
}

func dialTCP(t *testing.T, srv *pop3server.Server) func(context.Context) (net.Conn, error) {
	return dialLoopback(t, srv.Serve)
}

func dialTLS(t *testing.T, srv *pop3server.Server) func(context.Context) (net.Conn, error) {
	return dialLoopback(t, srv.ServeTLS)
}

func dialLoopback(t *testing.T, serve func(net.Listener) error) func(context.Context) (net.Conn, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve(ln)
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
	}
}
