package main

import "testing"

func TestStuff(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                     ".\r\n",
		"a: b\r\n\r\n":         "a: b\r\n\r\n.\r\n",
		"a: b\n\n.\n..c\nd.\n": "a: b\r\n\r\n..\r\n...c\r\nd.\r\n.\r\n",
	} {
		if got := string(stuff(nil, []byte(in))); got != want {
			t.Errorf("stuff(%q) = %q, want %q", in, got, want)
		}
	}
}
