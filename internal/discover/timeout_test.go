package discover

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type noDNS struct{}

func (noDNS) LookupSRV(_ context.Context, _, _, name string) (string, []*net.SRV, error) {
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (noDNS) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// Servers that take connections and say nothing cost so much time and no more: one request, and one guess. The clock is
// that of a bubble.
func TestSilentServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r, err := Find(t.Context(), Address{Local: "bob", Domain: "example.net"}, Options{
			Resolver: noDNS{},
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, server) }() // ends when the client gives up
				return client, nil
			},
		})
		if err != nil || len(r.Candidates) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
		if took := time.Since(begun); took != RequestTimeout+GuessTimeout {
			t.Errorf("took %v, want %v", took, RequestTimeout+GuessTimeout)
		}
		if !strings.Contains(r.Steps[0].Problem, "did not answer in time") {
			t.Errorf("%+v", r.Steps)
		}
	})
}

// A name server that does not answer costs so much time, and guesses are made after that.
func TestSilentDNS(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r, err := Find(t.Context(), Address{Local: "bob", Domain: "example.net"}, Options{
			Resolver:    silentDNS{},
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrUnexpectedEOF },
		})
		if took := time.Since(begun); err != nil || took != 2*DNSTimeout || r.Steps[len(r.Steps)-1].Origin != FromGuess {
			t.Errorf("%+v, %v after %v", r, err, took)
		}
	})
}

type silentDNS struct{}

func (silentDNS) LookupSRV(ctx context.Context, _, _, _ string) (string, []*net.SRV, error) {
	<-ctx.Done()
	return "", nil, ctx.Err()
}

func (silentDNS) LookupMX(ctx context.Context, _ string) ([]*net.MX, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
