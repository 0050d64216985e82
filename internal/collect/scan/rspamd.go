package scan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// Rspamd is a worker of rspamd. It may be used concurrently.
type Rspamd struct {
	where    string // as it is written
	address  string
	password func(ctx context.Context) (string, error)
	timeout  time.Duration
	client   http.Client
}

// RspamdOptions say where rspamd is.
type RspamdOptions struct {
	// Address is the worker's: "http://127.0.0.1:11333", or "unix:" and the path of its socket.
	Address string
	// Password, if set, is asked for each message, for workers that want one.
	Password func(ctx context.Context) (string, error)
	// Timeout is how long it may take for one message, in all. Default: 2 minutes.
	Timeout time.Duration
}

const (
	// maxRspamdReply bounds its answer, in octets.
	maxRspamdReply = 1 << 20
	// maxField and maxRecipients bound what it is told of the envelope.
	maxField      = 512
	maxRecipients = 100
)

// NewRspamd checks the options. It does not connect.
func NewRspamd(opt RspamdOptions) (*Rspamd, error) {
	r := &Rspamd{where: opt.Address, address: strings.TrimSuffix(opt.Address, "/"), password: opt.Password, timeout: opt.Timeout}
	if r.timeout <= 0 {
		r.timeout = 2 * time.Minute
	}
	// A connection for each message: one that rspamd closes while it waits would look like an rspamd that is away.
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	if path, ok := strings.CutPrefix(r.address, "unix:"); ok && path != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		r.address = "http://rspamd"
	} else if u, err := url.Parse(r.address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf(`scan: %q is not where rspamd is, write "http://127.0.0.1:11333" or "unix:PATH"`, opt.Address)
	}
	r.client = http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r, nil
}

// Close ends what is left of connections.
func (r *Rspamd) Close() { r.client.CloseIdleConnections() }

// A Spam is what rspamd thinks of a message.
type Spam struct {
	// Action is "no action", "greylist", "soft reject", "add header", "rewrite subject" or "reject".
	Action   string  `json:"action"`
	Score    float64 `json:"score"`
	Required float64 `json:"required_score"`
}

// Scan streams a message to /checkv2.
func (r *Rspamd) Scan(ctx context.Context, letter collect.Letter, message *io.SectionReader) (Spam, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	// Without its Close a SectionReader would be wrapped; with a length it goes without chunks.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.address+"/checkv2", io.NopCloser(message))
	if err != nil {
		return Spam{}, err
	}
	req.ContentLength = message.Size()
	if message.Size() == 0 {
		req.Body = http.NoBody
	}
	envelope := func(name, value string) {
		if value != "" && len(value) <= maxField && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
			req.Header.Add(name, value)
		}
	}
	envelope("From", letter.Sender)
	envelope("Queue-Id", letter.Key)
	for _, to := range letter.Recipients[:min(len(letter.Recipients), maxRecipients)] {
		envelope("Rcpt", to)
	}
	if err := r.signIn(ctx, req); err != nil {
		return Spam{}, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err
		}
		return Spam{}, late(ctx, r.timeout, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRspamdReply))
	switch {
	case err != nil:
		return Spam{}, late(ctx, r.timeout, err)
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		return Spam{}, ErrTooLarge
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return Spam{}, &collect.PermanentError{Err: &passwordError{fmt.Errorf("it answered %d %s", resp.StatusCode, word(string(text)))}}
	case resp.StatusCode != http.StatusOK:
		return Spam{}, fmt.Errorf("it answered %d %s", resp.StatusCode, word(string(text)))
	}
	var s Spam
	if err := json.Unmarshal(text, &s); err != nil {
		return Spam{}, fmt.Errorf("its answer is no JSON: %w", err)
	}
	if s.Action == "" {
		return Spam{}, errors.New("its answer has no action in it")
	}
	return s, nil
}

// spam reports whether it is, perhaps only probably.
func (s Spam) spam() bool {
	return s.Action == "reject" || s.Action == "add header" || s.Action == "rewrite subject"
}

func (s Spam) summary() string { return fmt.Sprintf("%.1f of %.1f", s.Score, s.Required) }

// fields are the header fields that programs for mail look for.
func (s Spam) fields() string {
	yes := "No"
	flag := ""
	if s.spam() {
		yes, flag = "Yes", "X-Spam-Flag: YES\r\n"
	}
	return fmt.Sprintf("%sX-Spam-Status: %s, score=%.2f required=%.2f action=%s\r\n", flag, yes, s.Score, s.Required, word(s.Action))
}
