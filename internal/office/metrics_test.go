package office

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/telemetry"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
)

func TestSignInResult(t *testing.T) {
	t.Parallel()
	said := func(code pop3.ResponseCode, cause error) error {
		return &pop3.Error{Code: code, Text: "no", Err: cause}
	}
	tests := []struct {
		err  error
		want string
	}{
		{nil, telemetry.SignInOK},
		{pop3server.ErrCredentials, telemetry.SignInWrong},
		{fmt.Errorf("scram: %w", pop3server.ErrCredentials), telemetry.SignInWrong},
		{said(pop3.CodeAuth, nil), telemetry.SignInWrong},
		{said(pop3.CodeAuth, account.ErrDisabled), telemetry.SignInDisabled},
		{said(pop3.CodeSysTemp, &account.ThrottledError{}), telemetry.SignInThrottled},
		{pop3server.ErrInUse, telemetry.SignInBusy},
		{said(pop3.CodeInUse, nil), telemetry.SignInBusy},
		{said(pop3.CodeSysTemp, io.ErrUnexpectedEOF), telemetry.SignInFault},
		{errors.New("anything else"), telemetry.SignInFault},
	}
	for _, tt := range tests {
		if got := signInResult(tt.err); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
}

func TestCleartext(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pop3server.Cleartext{
		"never": pop3server.CleartextNever, "loopback": pop3server.CleartextLoopback, "always": pop3server.CleartextAlways,
		"anything else": pop3server.CleartextNever,
	} {
		if got := cleartext(text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
