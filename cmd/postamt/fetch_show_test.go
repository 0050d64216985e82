package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/pop3/pop3client"
)

// What is to be done about a certificate depends on whose it is: the server's that mail comes from, or a destination's.
func TestExplainTrust(t *testing.T) {
	t.Parallel()
	unknown := x509.UnknownAuthorityError{}
	name := x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"other.example"}}, Host: "mx.example"}
	key := &pop3client.PinError{Host: "mx.example", Got: pop3client.Pin{1}}
	sink := func(kind string, err error) error {
		return &collect.SinkError{Sink: kind + ":mx.example:465:bob@example.org", Err: &collect.PermanentError{Err: err}}
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{unknown, "name that with ca, or set trust"},
		{name, "; url must have the name"},
		{key, "into pins, or with trust"},
		{sink("smtp", unknown), "name that with smtp_ca, or its key with smtp_pins"},
		{sink("imap", unknown), "name that with imap_ca, or its key with imap_pins"},
		{sink("smtp", name), "; to must have the name"},
		{sink("imap", key), "into imap_pins"},
	} {
		if got := explainFetch(fmt.Errorf("x: %w", tt.err)); !strings.Contains(got, tt.want) {
			t.Errorf("%s; want %q in it", got, tt.want)
		}
	}
}

func TestFetchSummary(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]office.FetchResult{
		"nothing new":                              {},
		"nothing fetched; 1 failed":                {Report: collect.Report{Failed: 1}},
		"nothing fetched":                          {Err: errors.New("x")},
		"1 message fetched, 3 B; 1 deleted there":  {Report: collect.Report{Fetched: 1, Octets: 3, Deleted: 1}},
		"2 messages fetched, in no time; 1 failed": {Report: collect.Report{Fetched: 2, Failed: 1}},
	} {
		took := ""
		if r.Fetched == 2 {
			took = "in no time"
		}
		if got := fetchSummary(r, took); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
