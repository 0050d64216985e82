package oauth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
)

// maxAnswer bounds what a server answers, in octets.
const maxAnswer = 256 << 10

// errAnswer is what is wrong with an answer that does not end.
var errAnswer = errors.New("its answer is too long")

// A bounded transport takes a request's whole answer, within a time and of a length, before anybody sees it: the module
// does not close all the bodies that it reads.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	resp, err := t.RoundTripper.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	_ = resp.Body.Close()
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxAnswer:
		return nil, errAnswer
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, nil
}
