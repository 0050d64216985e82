package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// GmailAddress is where the Gmail API is.
const GmailAddress = "https://gmail.googleapis.com"

// A Gmail is a mailbox at Gmail, filled by users.messages.import of its HTTP API: the message gets its labels and keeps
// its date, and nobody's SPF or DKIM suffers as when mail is forwarded.
//
// The context of Begin bounds the whole delivery. A delivery holds 1 MiB of the message.
type Gmail struct {
	opt    GmailOptions
	client http.Client

	mu     sync.Mutex
	labels []string // their ids, once they were looked up
	closed bool
}

var _ collect.Sink = (*Gmail)(nil)

// GmailOptions say which mailbox and how to get in.
type GmailOptions struct {
	// User is the mailbox's address. It is only a name for people and the journal: the token says whose mailbox it is.
	User string
	// Token returns an access token with the scopes gmail.insert and gmail.labels.
	Token func(ctx context.Context) (string, error)
	// Refused, if set, is told of a token that was refused, so that Token gives another one next time.
	Refused func(token string)
	// Labels are given to each message, by name; those that are missing are made. At most 50. None: INBOX and UNREAD.
	Labels []string
	// MarkSpam lets Gmail put messages into Spam. Otherwise it never does, whatever it thinks of them.
	MarkSpam bool
	// Address replaces GmailAddress.
	Address string
	// Transport makes the requests. Default: http.DefaultTransport.
	Transport http.RoundTripper
	// Timeout is how long a request may take, with at most 1 MiB in it. Default: 5 minutes.
	Timeout time.Duration
	// Wait waits before an upload is taken up again. Default: it does so by the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

const (
	maxLabels = 50
	// maxLabelName is what Gmail takes, in octets.
	maxLabelName = 225
	// maxAnswer bounds an answer of the API: the longest is the list of up to 10,000 labels.
	maxAnswer = 8 << 20
	// maxGmail is the largest message that the API takes, in octets.
	maxGmail = 150 << 20
)

// NewGmail checks the options. It does not connect.
func NewGmail(opt GmailOptions) (*Gmail, error) {
	if !usable(opt.User) {
		return nil, fmt.Errorf("sink: %q is not an address at Gmail", printable(opt.User, maxAddress))
	}
	if opt.Token == nil {
		return nil, fmt.Errorf("sink: there is no token for %s at Gmail", opt.User)
	}
	if len(opt.Labels) == 0 {
		opt.Labels = []string{"INBOX", "UNREAD"}
	}
	if len(opt.Labels) > maxLabels {
		return nil, fmt.Errorf("sink: a message at Gmail gets %d labels at most, not %d", maxLabels, len(opt.Labels))
	}
	for _, l := range opt.Labels {
		if l == "" || len(l) > maxLabelName || strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("sink: %q cannot be a label at Gmail", printable(l, maxLabelName))
		}
	}
	if opt.Address == "" {
		opt.Address = GmailAddress
	}
	opt.Address = strings.TrimSuffix(opt.Address, "/")
	if u, err := url.Parse(opt.Address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("sink: %q is not the address of an API", opt.Address)
	}
	if opt.Timeout <= 0 {
		opt.Timeout = 5 * time.Minute
	}
	if opt.Wait == nil {
		opt.Wait = wait
	}
	opt.Labels = slices.Clone(opt.Labels)
	return &Gmail{opt: opt, client: http.Client{
		Transport: opt.Transport,
		// 308 is how the API says "go on"; a redirect would be given our token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// wait waits until d is over or ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Name returns "gmail:" and the address.
func (g *Gmail) Name() string { return "gmail:" + g.opt.User }

// Safe returns false: when the process dies before the answer to a message, nobody knows.
func (g *Gmail) Safe() bool { return false }

// Close gives up idle connections.
func (g *Gmail) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.client.CloseIdleConnections()
	return nil
}

// Begin looks the labels up, once, and starts a delivery. Nothing of the message is sent before 1 MiB of it is there.
func (g *Gmail) Begin(ctx context.Context, _ collect.Letter) (collect.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, temporary(err)
	}
	labels, err := g.labelIDs(ctx)
	if err != nil {
		return nil, err
	}
	return &gmailDelivery{sink: g, ctx: ctx, labels: labels}, nil
}

// A gmailLabel is a label as the API writes it.
type gmailLabel struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
}

// labelIDs returns the ids of our labels. The ids of Gmail's own labels are their names.
func (g *Gmail) labelIDs(ctx context.Context) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, temporary(errEnded)
	}
	if g.labels != nil {
		return g.labels, nil
	}
	var ids []string
	var known map[string]string
	for _, name := range g.opt.Labels {
		if slices.Contains(gmailOwn, name) {
			ids = append(ids, name)
			continue
		}
		if known == nil {
			var err error
			if known, err = g.listLabels(ctx); err != nil {
				return nil, err
			}
		}
		id, ok := known[strings.ToLower(name)]
		if !ok {
			var made gmailLabel
			if err := g.call(ctx, http.MethodPost, "/gmail/v1/users/me/labels", gmailLabel{Name: name}, &made); err != nil {
				return nil, err
			}
			id = made.ID
		}
		ids = append(ids, id)
	}
	g.labels = ids
	return ids, nil
}

// forgetLabels has them looked up again.
func (g *Gmail) forgetLabels() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.labels = nil
}

// gmailOwn are labels that are there without being made, and that a message may get.
var gmailOwn = []string{
	"INBOX", "UNREAD", "STARRED", "IMPORTANT", "SPAM", "TRASH",
	"CATEGORY_PERSONAL", "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS",
}

func (g *Gmail) listLabels(ctx context.Context) (map[string]string, error) {
	var list struct {
		Labels []gmailLabel `json:"labels"`
	}
	if err := g.call(ctx, http.MethodGet, "/gmail/v1/users/me/labels", nil, &list); err != nil {
		return nil, err
	}
	known := make(map[string]string, len(list.Labels))
	for _, l := range list.Labels {
		known[strings.ToLower(l.Name)] = l.ID // Gmail knows no difference between small and capital letters
	}
	return known, nil
}

// call makes a request with JSON in and out.
func (g *Gmail) call(ctx context.Context, method, path string, in, out any) error {
	var text []byte
	if in != nil {
		var err error
		if text, err = json.Marshal(in); err != nil {
			return err
		}
	}
	answer, err := g.do(ctx, method, g.opt.Address+path, http.Header{"Content-Type": {"application/json"}}, text)
	if err != nil {
		return err
	}
	if answer.status != http.StatusOK {
		return g.fault(answer)
	}
	if err := json.Unmarshal(answer.text, out); err != nil {
		return temporary(fmt.Errorf("%s: the answer is no JSON: %w", g.Name(), err))
	}
	return nil
}

// A gmailAnswer is what the API said.
type gmailAnswer struct {
	status int
	header http.Header
	text   []byte
}

// do makes a request. A token that is refused is tried again once, with another one if there is one.
func (g *Gmail) do(ctx context.Context, method, address string, header http.Header, body []byte) (gmailAnswer, error) {
	for first := true; ; first = false {
		token, err := g.opt.Token(ctx)
		if err != nil {
			if collect.Classify(err) == collect.Permanent {
				return gmailAnswer{}, temporary(fmt.Errorf("%s: %w", g.Name(), err)) // about the sink, not about the message
			}
			return gmailAnswer{}, temporary(fmt.Errorf("%s: the token: %w", g.Name(), err))
		}
		answer, err := g.once(ctx, method, address, header, body, token)
		if err != nil {
			return answer, temporary(fmt.Errorf("%s: %w", g.Name(), withoutAddress(err)))
		}
		if answer.status != http.StatusUnauthorized || !first || g.opt.Refused == nil {
			return answer, nil
		}
		g.opt.Refused(token)
	}
}

func (g *Gmail) once(ctx context.Context, method, address string, header http.Header, body []byte, token string) (a gmailAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, g.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := g.client.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	a.status, a.header = resp.StatusCode, resp.Header
	a.text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return a, err
}

// withoutAddress keeps the address out of an error: the one of an upload is as good as a key to it.
func withoutAddress(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}

// fault types an answer that is no success.
func (g *Gmail) fault(a gmailAnswer) error {
	var body struct {
		Error struct {
			Message string `json:"message"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
		} `json:"error"`
	}
	_ = json.Unmarshal(a.text, &body) // an answer of a proxy on the way is no JSON, and says enough by its status
	reason := ""
	if len(body.Error.Errors) > 0 {
		reason = body.Error.Errors[0].Reason
	}
	err := fmt.Errorf("%s: the API answered %d %s: %s", g.Name(), a.status, printable(reason, 80), printable(body.Error.Message, 300))
	switch a.status {
	case http.StatusBadRequest:
		// Some are about the mailbox: it is switched off, or a label was deleted.
		if reason == "failedPrecondition" || strings.Contains(strings.ToLower(body.Error.Message), "label") {
			return temporary(err)
		}
		return err // the message is not one that Gmail takes
	case http.StatusRequestEntityTooLarge:
		return err
	case http.StatusForbidden:
		if reason == "insufficientPermissions" {
			err = fmt.Errorf("%w (the token needs the scopes gmail.insert and gmail.labels: sign in again)", err)
		}
	}
	return temporary(err)
}
