package catalog_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/postamt/postamt/internal/catalog"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := writeAndRead(filepath.Join(dir, "catalog.db")); err != nil {
		log.Print(err)
	}
	// Output: hello
}

func writeAndRead(path string) error {
	ctx := context.Background()
	db, err := catalog.Open(ctx, path, catalog.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	steps := []catalog.Migration{{Number: 1, SQL: "CREATE TABLE words (word TEXT NOT NULL)"}}
	if err := db.Migrate(ctx, "words", steps); err != nil {
		return err
	}
	err = db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO words (word) VALUES (?)", "hello")
		return err
	})
	if err != nil {
		return err // nothing was kept
	}
	var word string // durable from here on
	err = db.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, "SELECT word FROM words").Scan(&word)
	})
	fmt.Println(word)
	return err
}
