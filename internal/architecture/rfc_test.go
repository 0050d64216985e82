package architecture

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An rfc is one line of docs/rfc-index.txt.
type rfc struct{ number, status, where, title string }

func rfcIndex(t *testing.T) map[string]rfc {
	t.Helper()
	f, err := os.Open("../../docs/rfc-index.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	index := map[string]rfc{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		col := strings.Split(line, "\t")
		if len(col) != 4 {
			t.Fatalf("docs/rfc-index.txt: want four columns: %q", line)
		}
		if _, twice := index[col[0]]; twice {
			t.Errorf("docs/rfc-index.txt: RFC %s stands there twice", col[0])
		}
		index[col[0]] = rfc{col[0], col[1], col[2], col[3]}
	}
	return index
}

var mention = regexp.MustCompile(`RFC ([0-9]{3,4})\b`)

// cited returns for each RFC that non-test code names the files that do.
func cited(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range mention.FindAllStringSubmatch(string(text), -1) {
			files[m[1]] = append(files[m[1]], strings.TrimPrefix(path, "../../"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRFCIndexTellsTheTruth(t *testing.T) {
	t.Parallel()
	index, files := rfcIndex(t), cited(t)
	for number, where := range files {
		if _, ok := index[number]; !ok {
			t.Errorf("RFC %s is named in %s but not in docs/rfc-index.txt", number, where[0])
		}
	}
	for _, r := range index {
		switch r.status {
		case "yes", "partial":
			if len(files[r.number]) == 0 {
				t.Errorf("RFC %s is %q in docs/rfc-index.txt, but no code names it", r.number, r.status)
			}
		case "no":
		default:
			t.Errorf("RFC %s: status %q is not yes, partial or no", r.number, r.status)
		}
		if _, err := os.Stat(filepath.Join("../..", r.where)); err != nil {
			t.Errorf("RFC %s: %s is not there", r.number, r.where)
		}
	}
}
