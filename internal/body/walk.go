package body

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Walk calls fn for every file. Those that are not named like a file of bodies in its place are left out. On its way it
// removes folders that are old and empty: those whose last file went when they were not old.
func (d *Disk) Walk(ctx context.Context, fn func(Entry) error) error {
	return d.folders(ctx, ".", outerDigits, func(outer string) error {
		err := d.folders(ctx, outer, innerDigits, func(inner string) error {
			err := d.entries(ctx, outer+"/"+inner, fn)
			if err == nil && d.isOld(folderEnd(outer+inner)) {
				d.removeEmpty(outer + "/" + inner)
			}
			return err
		})
		if err == nil && d.isOld(folderEnd(outer)) {
			d.removeEmpty(outer)
		}
		return err
	})
}

// folders calls fn for the folders in name whose own names are so many digits.
func (d *Disk) folders(ctx context.Context, name string, digits int, fn func(string) error) error {
	return d.list(ctx, name, func(e fs.DirEntry) error {
		if !e.IsDir() || len(e.Name()) != digits || !isLowerHex(e.Name()) {
			return nil
		}
		return fn(e.Name())
	})
}

func (d *Disk) entries(ctx context.Context, folder string, fn func(Entry) error) error {
	return d.list(ctx, folder, func(e fs.DirEntry) error {
		id, ok := parseFile(e.Name())
		if !ok || !e.Type().IsRegular() || id.folder() != folder {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("body: looking at %s: %w", id, err)
		}
		return fn(Entry{ID: id, Octets: info.Size(), Modified: info.ModTime()})
	})
}

// list reads a folder. One that is gone meanwhile is empty.
func (d *Disk) list(ctx context.Context, name string, fn func(fs.DirEntry) error) error {
	var stop error // from inside, not from the folder
	err := d.fs.ReadDir(name, func(e fs.DirEntry) error {
		if stop = ctx.Err(); stop == nil {
			stop = fn(e)
		}
		return stop
	})
	switch {
	case stop != nil:
		return stop
	case name != "." && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("body: reading folder %s: %w", name, err)
	}
	return nil
}
