package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/office"
)

const (
	// maxHashLine is far above a line of NAME:HASH with the longest name and hash.
	maxHashLine = 4 << 10
	// addedAtOnce is how many accounts one transaction adds: few enough not to hold a daemon up.
	addedAtOnce = 1000
)

// addFrom adds the accounts of a file with lines NAME:HASH. All lines are looked at before anything is added.
func (a *app) addFrom(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return failure("the accounts cannot be read: %w", err)
	}
	defer f.Close() // read only
	total := 0
	if err := eachHashed(f, path, func(account.Hashed) error { total++; return nil }); err != nil {
		return err
	}
	return a.withVault(ctx, func(v *office.Vault) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return failure("%s cannot be read twice, put the lines into a file: %w", path, err)
		}
		added, some := 0, make([]account.Hashed, 0, addedAtOnce)
		add := func() error {
			n, err := v.Accounts.AddHashed(ctx, some)
			added += n
			some = some[:0]
			return err
		}
		err := eachHashed(f, path, func(h account.Hashed) error {
			if some = append(some, h); len(some) < addedAtOnce {
				return nil
			}
			return add()
		})
		if err == nil && len(some) > 0 {
			err = add()
		}
		if err != nil {
			return fmt.Errorf("%d accounts were added, then: %w", added, err)
		}
		return a.print("%s added, %d there already\n", count(added, "account"), total-added)
	})
}

// eachHashed calls fn for each line that is neither empty nor a comment.
func eachHashed(r io.Reader, path string, fn func(account.Hashed) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxHashLine)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		h, err := account.ParseHashed(line)
		if err != nil {
			why := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "account: "), "stored ")
			return failure("%s:%d: %s; nothing was added", path, n, why)
		}
		if err := fn(h); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return failure("%s:%d: the line is longer than %d octets; nothing was added", path, n+1, maxHashLine)
	}
	if err := lines.Err(); err != nil {
		return failure("the accounts cannot be read: %w", err)
	}
	return nil
}
