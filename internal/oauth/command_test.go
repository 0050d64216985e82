package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/oauth"
)

// program returns a source whose token a shell's script prints, and how often that has run.
func program(t *testing.T, script string, now *time.Time) (*oauth.Source, func() int) {
	t.Helper()
	count := filepath.Join(t.TempDir(), "count")
	s, err := oauth.New(oauth.Options{
		Account: "isp", Flow: oauth.Command, Program: []string{"sh", "-c", "echo x >>" + count + "; " + script}, Now: func() time.Time { return *now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() int {
		text, _ := os.ReadFile(count)
		return strings.Count(string(text), "x")
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, runs := program(t, "echo token-$$", &now)
	a, err := s.Token(t.Context())
	b, err2 := s.Token(t.Context())
	if !strings.HasPrefix(a, "token-") || a == b || errors.Join(err, err2) != nil || runs() != 2 {
		t.Errorf("without an end: %q, %q, %v, %d runs", a, b, errors.Join(err, err2), runs())
	}
	s, runs = program(t, `printf '{"access_token":"token-%s",\n"expires_in":3600,"id_token":"x"}' $$`, &now)
	a, err = s.Token(t.Context())
	if b, _ := s.Token(t.Context()); a != b || err != nil || runs() != 1 {
		t.Errorf("with an end: %q, %q, %v, %d runs", a, b, err, runs())
	}
	s.Refused(a)
	if b, _ = s.Token(t.Context()); a == b || runs() != 2 {
		t.Errorf("refused: %q, %d runs", b, runs())
	}
	now = now.Add(56 * time.Minute)
	if a, _ := s.Token(t.Context()); a == b || runs() != 3 {
		t.Errorf("shortly before its end: %q, %d runs", a, runs())
	}
}

func TestCommandFails(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		script string
		person bool
		word   string
	}{
		{"echo hunter2; exit 3", false, "exit status 3"},
		{"echo hunter2 >&2", true, "prints no token"},
		{"echo two words hunter2", true, "prints no token"},
		{"echo '{hunter2'", true, "JSON that is none"},
		{"echo '{}'", true, "prints no token"},
		{"yes hunter2", true, "more than 65536 octets"},
	} {
		s, _ := program(t, tt.script, &now)
		token, err := s.Token(t.Context())
		if token != "" || err == nil || !strings.Contains(err.Error(), tt.word) || oauth.NeedsPerson(err) != tt.person || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q, %v", tt.script, token, err)
		}
	}
	s, err := oauth.New(oauth.Options{Account: "isp", Flow: oauth.Command, Program: []string{"/no/such/program"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context()); err == nil || !oauth.NeedsPerson(err) {
		t.Errorf("%v", err)
	}
}

func ExampleSource_Token() {
	s, err := oauth.New(oauth.Options{Account: "isp", Flow: oauth.Command, Program: []string{"echo", `{"access_token":"abc","expires_in":3600}`}})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := s.Token(context.Background())
	fmt.Println(token, err)
	// Output: abc <nil>
}
