package account

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/postamt/postamt/internal/catalog"
)

// exampleCatalog opens a catalog in a temporary folder.
func exampleCatalog() (db *catalog.DB, closeDB func()) {
	dir, err := os.MkdirTemp("", "postamt")
	if err != nil {
		panic(err)
	}
	db, err = catalog.Open(context.Background(), filepath.Join(dir, "catalog.db"), catalog.Options{})
	if err != nil {
		panic(err)
	}
	return db, func() {
		_ = db.Close()
		_ = os.RemoveAll(dir)
	}
}

func Example() {
	ctx := context.Background()
	db, closeDB := exampleCatalog()
	defer closeDB()
	dir, err := NewSQLDirectory(ctx, db, SQLOptions{Domains: []string{"example.org"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	guard := NewGuard(dir, GuardOptions{})
	defer guard.Close()

	if _, err := dir.Add(ctx, "alice"); err != nil {
		fmt.Println(err)
		return
	}
	if err := dir.SetPassword(ctx, "alice", "tanstaaf"); err != nil {
		fmt.Println(err)
		return
	}

	at := Attempt{Addr: netip.MustParseAddr("192.0.2.1"), Mech: "PLAIN", TLS: true}
	a, err := guard.Password(ctx, at, "", "alice@example.org", "tanstaaf")
	fmt.Println(a.Name, err)
	_, err = guard.Password(ctx, at, "", "alice", "wrong")
	fmt.Println(err)
	// Output:
	// alice <nil>
	// sasl: credentials refused
}

func ExampleNormalizeName() {
	name, err := NormalizeName("Alice@Example.ORG")
	fmt.Println(name, err)
	_, err = NormalizeName("alice smith")
	fmt.Println(err)
	// Output:
	// alice@example.org <nil>
	// account: the name "alice smith" has a space
}

func ExampleNewHasher() {
	_, err := NewHasher(HasherOptions{Argon2: Argon2{Memory: 64 << 20, Passes: 3}, Concurrency: 4})
	fmt.Println(err)
	_, err = NewHasher(HasherOptions{Argon2: Argon2{Memory: 4 << 30}})
	fmt.Println(err)
	// Output:
	// <nil>
	// account: argon2 memory of 4294967296 octets is not between 64 KiB and 1 GiB
}

func ExampleGeneratePassword() {
	fmt.Println(len(GeneratePassword()), "signs in seven groups of four")
	// Output: 34 signs in seven groups of four
}
