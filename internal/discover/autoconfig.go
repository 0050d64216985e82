package discover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Bounds of a web request.
const (
	// MaxRedirects is how often a web server may send us elsewhere.
	MaxRedirects = 3
	// RequestTimeout bounds one request with all its redirects.
	RequestTimeout = 10 * time.Second
	// maxHeader is the largest header of an answer, in octets.
	maxHeader = 64 << 10
)

// MozillaISPDB is where Mozilla's database of providers is.
const MozillaISPDB = "https://autoconfig.thunderbird.net/v1.1/"

// A source is an address on the web with a document.
type source struct {
	origin Origin
	url    string
}

// Where a domain's document is.
const (
	ofHost = "://autoconfig.%s/mail/config-v1.1.xml"
	ofSite = "://%s/.well-known/autoconfig/mail/config-v1.1.xml"
)

// providerSources are where a domain's own document may be. Only the domain that the mail is for learns the address, and
// nobody on the way.
func providerSources(a Address, plainHTTP bool) []source {
	query := "?emailaddress=" + url.QueryEscape(a.String())
	list := []source{
		{FromAutoconfig, fmt.Sprintf("https"+ofHost, a.Domain) + query},
		{FromAutoconfig, fmt.Sprintf("https"+ofSite, a.Domain) + query},
	}
	if plainHTTP {
		list = append(list, source{FromAutoconfig, fmt.Sprintf("http"+ofHost, a.Domain)}, source{FromAutoconfig, fmt.Sprintf("http"+ofSite, a.Domain)})
	}
	return list
}

// documents asks several places at once, and returns the candidates of the first, in their order, that names a server
// for POP3; else those for IMAP. vouched says that a document got by HTTPS speaks for the domain.
func (f *finder) documents(ctx context.Context, sources []source, vouched bool) []Candidate {
	type answer struct {
		doc document
		err error
	}
	answers := make([]answer, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() {
			text, err := f.get(ctx, s.url)
			if err == nil {
				answers[i].doc, err = parseDocument(text, f.address)
			}
			answers[i].err = err
		})
	}
	wg.Wait()
	var best []Candidate
	for i, s := range sources {
		step := Step{Origin: s.origin, Where: shown(s.url)}
		found := answers[i].doc.servers
		switch {
		case answers[i].err != nil:
			step.Problem = problem(answers[i].err)
		case len(found) == 0:
			step.Problem = "names no server that can be used"
			if skipped := answers[i].doc.skipped; len(skipped) > 0 {
				step.Problem += ": " + plain(strings.Join(skipped, "; "))
			}
		}
		step.Found = len(found)
		f.steps = append(f.steps, step)
		secure := strings.HasPrefix(s.url, "https:")
		for j := range found {
			c := &found[j]
			c.Origin, c.Where, c.Provider = s.origin, step.Where, Provider(c.Host)
			if !secure {
				c.OAuth, c.Password, c.Enable = false, false, "" // nobody vouches for it
			}
			if !(secure && vouched) && !within(c.Host, f.address.Domain) {
				c.Confirm = fmt.Sprintf("%s is not within %s, and %s does not speak for that domain", c.Host, f.address.Domain, step.Where)
			}
		}
		if has(found, POP3) && !has(best, POP3) || len(best) == 0 {
			best = found
		}
	}
	return best
}

func has(all []Candidate, p Protocol) bool {
	r := Result{Candidates: all}
	return len(r.of(p)) > 0
}

// get fetches a document.
func (f *finder) get(ctx context.Context, address string) (_ []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/xml, application/xml")
	req.Header.Set("User-Agent", "postamt")
	resp, err := f.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("there is none (%s)", plain(resp.Status))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxDocument+1))
	if err != nil {
		return nil, err
	}
	return text, nil
}

var errRedirect = errors.New("sends us to a place where we do not go")

// redirect decides whether to follow a redirect.
func redirect(req *http.Request, via []*http.Request) error {
	u := req.URL
	switch {
	case len(via) > MaxRedirects:
		return fmt.Errorf("%w: more than %d redirects", errRedirect, MaxRedirects)
	case u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" || !validHost(u.Hostname()):
		return fmt.Errorf("%w: %s", errRedirect, plain(shown(u.Redacted())))
	}
	req.Header.Del("Referer") // it would carry the address to another host
	return nil
}

// shown returns a web address without its query, which has the mail address in it.
func shown(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}

// problem says in one sentence why a request failed.
func problem(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		if ue.Timeout() {
			return "did not answer in time"
		}
		err = ue.Err
	}
	return plain(err.Error())
}
