package catalog_test

import (
	"context"
	"testing"

	"github.com/postamt/postamt/internal/catalog"
)

func BenchmarkReadPoint(b *testing.B) {
	db := openNew(b, catalog.Options{})
	if err := db.Write(b.Context(), insert(1, "one")); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		err := db.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
			var s string
			return tx.QueryRow(ctx, "SELECT text FROM notes WHERE id = ?", 1).Scan(&s)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	db := openNew(b, catalog.Options{})
	ctx := context.Background()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		if err := db.Write(ctx, insert(i, "x")); err != nil {
			b.Fatal(err)
		}
	}
}
