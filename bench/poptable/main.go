// Command poptable makes the table of the results of a run: poptable RESULTS.jsonl writes RESULTS.md and RESULTS.json
// beside it and prints the Markdown. Each line has the median of the rounds of the best Dovecot, of the best other peer and
// of Postamt. A target with one wrong reply, or without an answer in time, has no figure in that line: it failed.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 || !strings.HasSuffix(os.Args[1], ".jsonl") {
		fmt.Fprintln(os.Stderr, "usage: poptable RESULTS.jsonl")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "poptable:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	res, err := read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s := summarize(res)
	j, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(path, ".jsonl")
	if err := os.WriteFile(base+".json", append(j, '\n'), 0o644); err != nil {
		return err
	}
	md := s.markdown()
	if err := os.WriteFile(base+".md", []byte(md), 0o644); err != nil {
		return err
	}
	_, err = os.Stdout.WriteString(md)
	return err
}
