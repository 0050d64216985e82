package office

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3"
)

// A FetchNotice tells a person that an account cannot be fetched any more, or that it can again.
type FetchNotice struct {
	Account string `json:"account"`
	Server  string `json:"server"`
	User    string `json:"user"`
	// State is "failed" or "recovered".
	State string `json:"state"`
	// Class is what the failure asks for: "permanent", "refused", "temporary" or "busy".
	Class string    `json:"class,omitempty"`
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"` // of the last run that went well; zero for never
	Time  time.Time `json:"time"`
	// Key is the same for the same notice, so that it is not put into the maildrop twice.
	Key string `json:"id"`
}

// The states of a FetchNotice.
const (
	FetchFailed    = "failed"
	FetchRecovered = "recovered"
)

// A notifier passes notices on.
type notifier struct {
	store    mailstore.Store
	accounts account.Directory
	hostname string
	to       string // an account here, or empty
	webhook  string // a URL, or empty
	client   *http.Client
}

// webhookTimeout is how long a webhook may take.
const webhookTimeout = 10 * time.Second

// notify puts a notice into the maildrop and calls the webhook. One that does not work does not keep the other from it.
func (n *notifier) notify(ctx context.Context, notice FetchNotice) error {
	var mailed, posted error
	if n.to != "" {
		if mailed = n.mail(ctx, notice); mailed != nil {
			mailed = fmt.Errorf("the notice could not be put into the maildrop %s (collector.alarm_to): %w", n.to, mailed)
		}
	}
	if n.webhook != "" {
		if posted = n.post(ctx, notice); posted != nil {
			posted = fmt.Errorf("the webhook did not take the notice (collector.alarm_webhook): %w", posted)
		}
	}
	return errors.Join(mailed, posted)
}

func (n *notifier) mail(ctx context.Context, notice FetchNotice) error {
	to, err := n.accounts.Lookup(ctx, n.to)
	if err != nil {
		return err
	}
	d, err := n.store.Begin(ctx, mailstore.Envelope{Received: notice.Time, Key: "fetch-notice/" + notice.Key})
	if err != nil {
		return err
	}
	defer d.Abort()
	if _, err := io.WriteString(d, n.text(notice)); err != nil {
		return err
	}
	_, err = d.Commit(ctx, []mailstore.Recipient{{Drop: mailstore.DropID(to.ID), Address: n.to}})
	return err
}

// text returns the notice as a message.
func (n *notifier) text(notice FetchNotice) string {
	line := func(s string) string { return pop3.Printable(strings.ReplaceAll(s, "\n", " ")) }
	subject := fmt.Sprintf("Mail of %q cannot be fetched any more", notice.Account)
	if notice.State == FetchRecovered {
		subject = fmt.Sprintf("Mail of %q is fetched again", notice.Account)
	}
	var b strings.Builder
	header := func(key, value string) { fmt.Fprintf(&b, "%s: %s\r\n", key, value) }
	header("From", "Postamt <postmaster@"+n.hostname+">")
	header("To", line(n.to))
	header("Subject", mime.QEncoding.Encode("utf-8", line(subject)))
	header("Date", notice.Time.Format(time.RFC1123Z))
	header("Message-ID", "<fetch-notice."+notice.Key+"@"+n.hostname+">")
	header("Auto-Submitted", "auto-generated") // RFC 3834 §5
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "8bit")
	b.WriteString("\r\n")
	say := func(format string, args ...any) { b.WriteString(line(fmt.Sprintf(format, args...)) + "\r\n") }
	say("Account: %s (user %s at %s)", notice.Account, notice.User, notice.Server)
	if notice.State == FetchRecovered {
		say("It works again since %s.", notice.Time.Format(time.RFC1123Z))
		return b.String()
	}
	if notice.Since.IsZero() {
		say("It has never worked yet.")
	} else {
		say("It worked last at %s.", notice.Since.Format(time.RFC1123Z))
	}
	say("What is wrong: %s", notice.Error)
	b.WriteString("\r\n")
	say("Nothing is lost: the mail waits on the server. Postamt goes on trying, and writes again when it works.")
	say(`"postamt fetch status" shows all accounts, and "postamt fetch %s" tries at once.`, notice.Account)
	return b.String()
}

func (n *notifier) post(ctx context.Context, notice FetchNotice) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	body, err := json.Marshal(notice)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.webhook, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

// withoutURL takes the address off an error of net/http: a webhook's address is a secret more often than not.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
