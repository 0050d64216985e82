package oauth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/oauth2"
)

const (
	// maxDevice bounds how long a code is waited for, whatever the server says.
	maxDevice = 30 * time.Minute
	// deviceRetry is how long it waits after a failure of the server's, at least.
	deviceRetry = 10 * time.Second
)

// A device is a sign-in by another device that is under way.
type device struct {
	s    *Source
	conf *oauth2.Config
	auth *oauth2.DeviceAuthResponse
	ends time.Time
}

func (d *device) begin(ctx context.Context) error {
	auth, err := d.conf.DeviceAuth(context.WithValue(ctx, oauth2.HTTPClient, d.s.http))
	if err != nil {
		return serverError(d.conf.Endpoint.DeviceAuthURL, err, d.conf.ClientSecret)
	}
	if auth == nil || auth.DeviceCode == "" || auth.UserCode == "" || auth.VerificationURI == "" {
		return fmt.Errorf("%s answered without a code or an address", host(d.conf.Endpoint.DeviceAuthURL))
	}
	now := time.Now()
	d.ends = now.Add(maxDevice)
	if !auth.Expiry.IsZero() && auth.Expiry.Before(d.ends) {
		d.ends = auth.Expiry
	}
	auth.Interval = min(max(auth.Interval, 0), 60)
	auth.Expiry = d.ends
	d.auth = auth
	return nil
}

func (d *device) prompt() DevicePrompt {
	return DevicePrompt{
		Address: plain(d.auth.VerificationURI, nil), Code: plain(d.auth.UserCode, nil), Complete: plain(d.auth.VerificationURIComplete, nil),
		Minutes: int(math.Ceil(time.Until(d.ends).Minutes())),
	}
}

// wait asks at the server's interval until the code was typed in. Failures of the server's do not end it (RFC 8628 §3.5).
func (d *device) wait(ctx context.Context) (*oauth2.Token, error) {
	conf := *d.conf
	var opts []oauth2.AuthCodeOption
	for {
		t, err := conf.DeviceAccessToken(context.WithValue(ctx, oauth2.HTTPClient, d.s.http), d.auth, opts...)
		if err == nil {
			return t, nil
		}
		said := serverError(conf.Endpoint.TokenURL, err, d.auth.DeviceCode, conf.ClientSecret)
		answer, ok := errors.AsType[*ServerError](said)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !time.Now().Before(d.ends), errors.Is(err, context.DeadlineExceeded) && time.Until(d.ends) <= 0, ok && answer.Code == "expired_token":
			return nil, errors.New("the code was not typed in in time, begin anew")
		case ok && answer.Status < 500 && answer.Status != 429:
			return nil, said
		}
		d.auth.Interval = max(2*d.auth.Interval, int64(deviceRetry/time.Second))
		d.auth.Interval = min(d.auth.Interval, 60)
	}
}
