package imapsource_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/testpeers"
)

// A real Dovecot is emptied to the octet over STARTTLS and TLS, and one with another UIDVALIDITY brings nothing twice.
func TestDovecot(t *testing.T) {
	t.Parallel()
	testpeers.Need(t, "dovecot")
	testpeers.NeedIMAP(t)
	texts := letters()
	var messages [][]byte
	for _, text := range texts {
		messages = append(messages, []byte(text))
	}
	d := testpeers.StartDovecot(t, "", testpeers.DovecotUser{Name: "imap", Password: "geheim", Messages: messages},
		testpeers.DovecotUser{Name: "imaps", Password: "geheim", Messages: messages})
	for scheme, addr := range map[string]string{"imap": d.IMAP, "imaps": d.IMAPS} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			src, err := imapsource.New(imapsource.Options{
				URL:         scheme + "://" + scheme + "@localhost" + addr[strings.LastIndexByte(addr, ':'):],
				Credentials: imapclient.Credentials{Password: secret},
				Client:      imapclient.Options{RootCAs: d.Pool, Timeout: 20 * time.Second},
			})
			if err != nil {
				t.Fatal(err)
			}
			h := newHome(t, src)
			h.account.Rules.Delete = false
			if rep, err := collect.Run(t.Context(), h.account, h.options); err != nil || rep.Fetched != len(texts) {
				t.Fatalf("%+v %v", rep, err)
			}
			if n := d.Flagged(t, scheme); n != 0 {
				t.Errorf("%d messages are marked", n)
			}
			d.Renew(t, scheme)
			if rep, err := collect.Run(t.Context(), h.account, h.options); err != nil || rep.Fetched != 0 || rep.Renumbered != len(texts) {
				t.Errorf("%+v %v", rep, err)
			}
			h.account.Rules.Delete = true
			if rep, err := collect.Run(t.Context(), h.account, h.options); err != nil || rep.Deleted != len(texts) || d.Left(t, scheme) != 0 {
				t.Errorf("%+v %v, %d are left", rep, err, d.Left(t, scheme))
			}
			h.want(t, texts)
		})
	}
}
