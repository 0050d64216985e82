package account

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/sasl"
)

func TestLookupAndRecipient(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDirectory(t, newCatalog(t), SQLOptions{Domains: []string{"Example.org", "example.net"}, RecipientDelimiter: "+"})
	for _, name := range []string{
		"alice", "bob@example.org", "carol@elsewhere.example", "dave", "dave@example.net", "e+f", "g", "g+tag@example.org",
	} {
		addAccount(t, d, name, "")
	}
	tests := []struct{ name, lookup, recipient string }{
		{"alice", "alice", "alice"},
		{"ALICE", "alice", "alice"},
		{"alice@example.org", "alice", "alice"},
		{"Alice@EXAMPLE.net", "alice", "alice"},
		{"alice@elsewhere.example", "", ""},

		{"bob@example.org", "bob@example.org", "bob@example.org"},
		{"bob", "bob@example.org", "bob@example.org"},
		{"bob@example.net", "", ""}, // that is another address

		{"carol@elsewhere.example", "carol@elsewhere.example", "carol@elsewhere.example"},
		{"carol", "", ""},

		{"dave@example.net", "dave@example.net", "dave@example.net"}, // the whole address comes first
		{"dave@example.org", "dave", "dave"},
		{"dave", "dave", "dave"},

		{"alice+tag", "", "alice"},
		{"alice+tag@example.org", "", "alice"},
		{"alice+a+b@example.net", "", "alice"},
		{"alice+@example.org", "", "alice"},
		{"bob+tag", "", "bob@example.org"},
		{"carol+tag@elsewhere.example", "", "carol@elsewhere.example"},
		{"+alice", "", ""},
		{"e+f", "e+f", "e+f"}, // an account with the delimiter in its name
		{"e+f@example.org", "e+f", "e+f"},
		{"e", "", ""},
		{"g+tag@example.org", "g+tag@example.org", "g+tag@example.org"},
		{"g+other@example.org", "", "g"},

		{"", "", ""},
		{"@example.org", "", ""},
		{"alice@", "", ""},
		{"alice@example.org@example.org", "", ""},
		{"al ice", "", ""},
		{"nobody@example.org", "", ""},
	}
	for _, tt := range tests {
		for method, want := range map[string]string{"Lookup": tt.lookup, "Recipient": tt.recipient} {
			find := d.Lookup
			if method == "Recipient" {
				find = d.Recipient
			}
			got, err := find(ctx, tt.name)
			if got.Name != want || (want == "") != errors.Is(err, ErrNotFound) {
				t.Errorf("%s(%q) = %q, %v; want %q", method, tt.name, got.Name, err, want)
			}
		}
	}
}

func TestLookupWithoutDomains(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, newCatalog(t), SQLOptions{})
	addAccount(t, d, "alice", "")
	for name, want := range map[string]string{"alice": "alice", "alice@example.org": "", "alice+tag": ""} {
		if got, err := d.Recipient(context.Background(), name); got.Name != want {
			t.Errorf("Recipient(%q) = %q, %v; want %q", name, got.Name, err, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, newCatalog(t), SQLOptions{Domains: []string{"example.org"}})
	for in, want := range map[string]string{
		"alice": "alice", "alice@example.org": "alice", "alice@example.net": "alice@example.net",
	} {
		if got := d.canonical(in); got != want {
			t.Errorf("canonical(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDirectoryRefusesBadOptions(t *testing.T) {
	t.Parallel()
	db := newCatalog(t)
	for _, opt := range []SQLOptions{
		{Domains: []string{"exa mple.org"}},
		{Domains: []string{""}},
		{Keep: Keep{SCRAMIterations: 4095}},
		{Keep: Keep{SCRAMIterations: 1<<22 + 1}},
	} {
		if _, err := NewSQLDirectory(context.Background(), db, opt); err == nil {
			t.Errorf("%+v is taken", opt)
		}
	}
}

// False SCRAM keys are the same after a restart, and different in another post office.
func TestFakeSCRAMKeysLast(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "catalog.db")
	var got []sasl.ScramCredentials
	for range 2 {
		db := openCatalog(t, path)
		d := newDirectory(t, db, SQLOptions{})
		got = append(got, d.fakeSCRAMKeys("nobody", sasl.SHA256))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Error("after a restart:", diff)
	}
	other := newDirectory(t, newCatalog(t), SQLOptions{})
	if cmp.Equal(got[0].Salt, other.fakeSCRAMKeys("nobody", sasl.SHA256).Salt) {
		t.Error("two post offices have the same false salt")
	}
}

// Two processes, here two catalogs on one file, see each other's changes at once.
func TestDirectorySeesOtherProcesses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "catalog.db")
	daemon := newDirectory(t, openCatalog(t, path), SQLOptions{})
	command := newDirectory(t, openCatalog(t, path), SQLOptions{})
	if _, err := daemon.Lookup(ctx, "alice"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	addAccount(t, command, "alice", "")
	if _, err := daemon.Lookup(ctx, "alice"); err != nil {
		t.Error("added by another process:", err)
	}
	if err := command.SetDisabled(ctx, "alice", true); err != nil {
		t.Fatal(err)
	}
	if a, err := daemon.Lookup(ctx, "alice"); err != nil || !a.Disabled {
		t.Errorf("disabled by another process: %+v, %v", a, err)
	}
	if _, err := command.Remove(ctx, "alice", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.Lookup(ctx, "alice"); !errors.Is(err, ErrNotFound) {
		t.Error("removed by another process:", err)
	}
}

func TestLookupIsOneQuery(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, newCatalog(t), SQLOptions{Domains: []string{"example.org"}, RecipientDelimiter: "+"})
	names := d.candidates("alice+tag@example.org", true)
	if diff := cmp.Diff([4]string{"alice+tag@example.org", "alice+tag", "alice@example.org", "alice"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([4]string{"alice", "alice@example.org", "alice", "alice"}, d.candidates("alice", false)); diff != "" {
		t.Error(diff)
	}
}

func ExampleSQLDirectory_Recipient() {
	ctx := context.Background()
	db, closeDB := exampleCatalog()
	defer closeDB()
	dir, err := NewSQLDirectory(ctx, db, SQLOptions{Domains: []string{"example.org"}, RecipientDelimiter: "+"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := dir.Add(ctx, "alice"); err != nil {
		fmt.Println(err)
		return
	}
	for _, address := range []string{"Alice@example.org", "alice+lists@example.org", "bob@example.org"} {
		a, err := dir.Recipient(ctx, address)
		fmt.Println(a.ID, a.Name, err)
	}
	// Output:
	// 1 alice <nil>
	// 1 alice <nil>
	// 0  account: no such account
}
