package office

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// checkCatalog refuses to begin a new catalog beside bodies of an old one: for the new one they are left-overs, which the
// sweep removes. Where a catalog is begun for the first time, there are no bodies yet.
func checkCatalog(data string) error {
	catalog, bodies := filepath.Join(data, catalogName), filepath.Join(data, bodiesName)
	// What is committed last may be in the -wal alone.
	for _, path := range []string{catalog, catalog + "-wal"} {
		if fi, err := os.Stat(path); err == nil && fi.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil // it is there, or opening it will say what is wrong
		}
	}
	folder, err := os.Open(bodies)
	if err != nil {
		return nil
	}
	defer folder.Close() // read only
	if _, err := folder.ReadDir(1); errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("the catalog %s is missing or empty, though there is mail in %s: restore both from the same backup, or move that folder away to begin anew", catalog, bodies)
}
