package account

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/sasl"
)

// The keys of the example in RFC 7677 §3: user "user", password "pencil".
const pencil = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" +
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

func TestSCRAMText(t *testing.T) {
	t.Parallel()
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sasl.DeriveScramCredentials(sasl.SHA256, "pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if got := formatSCRAM(sasl.SHA256, keys); got != pencil {
		t.Errorf("got  %s\nwant %s", got, pencil)
	}
	read, err := parseSCRAM(sasl.SHA256, pencil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keys, read); diff != "" {
		t.Error(diff)
	}
}

func TestParseSCRAMRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"",
		"SCRAM-SHA-256$",
		strings.Replace(pencil, "SHA-256", "SHA-1", 1),
		strings.Replace(pencil, "4096", "0", 1),
		strings.Replace(pencil, "4096", "-1", 1),
		strings.Replace(pencil, "4096", "4194305", 1),
		strings.Replace(pencil, "4096:", "4096", 1),
		strings.Replace(pencil, "W22ZaJ0SNY7soEsUEjb6gQ==", "", 1),
		strings.Replace(pencil, "W22ZaJ0SNY7soEsUEjb6gQ==", "!", 1),
		strings.Replace(pencil, "qY=:", "qY:", 1),
		strings.TrimSuffix(pencil, "="),
		pencil[:len(pencil)-4],
	} {
		if keys, err := parseSCRAM(sasl.SHA256, s); err == nil {
			t.Errorf("parseSCRAM(%q) = %v, want an error", s, keys)
		}
	}
	if _, err := parseSCRAM(sasl.SHA1, strings.Replace(pencil, "SHA-256", "SHA-1", 1)); err == nil {
		t.Error("keys of SHA-256 are taken for those of SHA-1")
	}
}
