package body_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/postamt/postamt/internal/body"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	fsys, err := body.Dir(filepath.Join(dir, "bodies"))
	if err != nil {
		fmt.Println(err)
		return
	}
	var store body.Store = body.NewDisk(fsys, body.Options{MaxOctets: 50 << 20})
	defer store.Close()

	w, err := store.Create(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Abort()
	if _, err := io.WriteString(w, "Subject: Hello\n\nThe post office is open.\n"); err != nil {
		fmt.Println(err)
		return
	}
	id, facts, err := w.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}
	// Now it survives a crash, and a catalog may refer to it.

	r, octets, err := store.Open(ctx, id, facts.Octets)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	fmt.Printf("%q %v\n", text, err)
	fmt.Println(octets, facts.Octets, facts.Header, facts.Wire)
	// Output:
	// "Subject: Hello\r\n\r\nThe post office is open.\r\n" <nil>
	// 44 44 18 true
}

// Measure finds the facts of a message that is not to be stored, whatever its line ends.
func ExampleMeasure() {
	lf, err := body.Measure(strings.NewReader("Subject: x\n\n.\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	crlf, err := body.Measure(strings.NewReader("Subject: x\r\n\r\n.\r\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lf == crlf, lf.Octets, lf.Header, lf.Wire)
	// Output: true 17 14 false
}
