package sasl_test

import (
	"strings"
	"testing"

	"github.com/postamt/postamt/sasl"
)

func TestSelectMechanism(t *testing.T) {
	t.Parallel()
	const all = "LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS XOAUTH2 OAUTHBEARER GSSAPI"
	for _, tt := range []struct {
		offered string
		opt     sasl.SelectOptions
		want    string
	}{
		{all, sasl.SelectOptions{TLS: true, Binding: true}, "SCRAM-SHA-256-PLUS"},
		{all, sasl.SelectOptions{TLS: true}, "SCRAM-SHA-256"},
		{all, sasl.SelectOptions{}, "SCRAM-SHA-256"},
		{"SCRAM-SHA-256 SCRAM-SHA-1-PLUS", sasl.SelectOptions{TLS: true, Binding: true}, "SCRAM-SHA-1-PLUS"},
		{"PLAIN SCRAM-SHA-1", sasl.SelectOptions{TLS: true}, "SCRAM-SHA-1"},
		{"PLAIN CRAM-MD5", sasl.SelectOptions{TLS: true}, "CRAM-MD5"},
		{"LOGIN PLAIN", sasl.SelectOptions{TLS: true}, "PLAIN"},
		{"LOGIN", sasl.SelectOptions{TLS: true}, "LOGIN"},
		{"plain", sasl.SelectOptions{TLS: true}, "PLAIN"},
		{"LOGIN PLAIN", sasl.SelectOptions{}, ""},
		{"LOGIN PLAIN", sasl.SelectOptions{Binding: true}, ""},
		{"LOGIN PLAIN", sasl.SelectOptions{AllowPlaintext: true}, "PLAIN"},
		{"SCRAM-SHA-256-PLUS", sasl.SelectOptions{TLS: true}, ""},
		{"GSSAPI X-OWN", sasl.SelectOptions{TLS: true, Binding: true, AllowPlaintext: true}, ""},
		{"", sasl.SelectOptions{TLS: true}, ""},
		{all, sasl.SelectOptions{TLS: true, Binding: true, Token: true}, "OAUTHBEARER"},
		{"PLAIN xoauth2", sasl.SelectOptions{TLS: true, Token: true}, "XOAUTH2"},
		{"PLAIN SCRAM-SHA-256", sasl.SelectOptions{TLS: true, Token: true}, ""},
		{"XOAUTH2 OAUTHBEARER", sasl.SelectOptions{TLS: true}, ""},
		{"XOAUTH2 OAUTHBEARER", sasl.SelectOptions{Token: true, AllowPlaintext: true}, ""},
	} {
		if got := sasl.SelectMechanism(strings.Fields(tt.offered), tt.opt); got != tt.want {
			t.Errorf("SelectMechanism(%s, %+v) = %q, want %q", tt.offered, tt.opt, got, tt.want)
		}
	}
}
