package imapclient_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
)

// A folder's name arrives as it is, whatever is in it, and what would be another command is refused here.
func TestFolderNames(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	c := dial(t, options(s))
	const text = "Subject: hello\r\n\r\n"
	for _, name := range []string{
		`a"b`, `back\slash`, "100%", "*", "a b", "{5}", "(x)", "NIL", "M&M", "Entw\u00fcrfe", "\U0001f4ee", `" LOGOUT`, strings.Repeat("n", 900),
	} {
		s.Make(t, name)
		s.Add(t, name, text, day)
		if err := c.MakeFolder(t.Context(), name); err != nil { // it is there
			t.Errorf("%q: %v", name, err)
		}
		if _, err := c.Append(t.Context(), name, imapclient.Letter{Size: int64(len(text)), Text: strings.NewReader(text)}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, list := examine(t, c, name); len(list) != 2 {
			t.Errorf("%q: %+v", name, list)
		}
	}
	for _, name := range []string{"", "a\r\nT9 LOGOUT", "a\nb", "a\rb", "a\x00b", "a\x7fb", "a\u0085b", "\xff", strings.Repeat("n", 1001)} {
		_, examined := c.Examine(t.Context(), name)
		_, selected := c.Select(t.Context(), name)
		_, appended := c.Append(t.Context(), name, imapclient.Letter{Size: 1, Text: strings.NewReader("x")})
		for _, err := range []error{examined, selected, appended, c.MakeFolder(t.Context(), name)} {
			if !errors.Is(err, imapclient.ErrFolderName) || !imapclient.NeedsPerson(err) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Error(err)
	}
}
