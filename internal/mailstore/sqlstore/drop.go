package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// A drop is an open maildrop.
type drop struct {
	store  *Store
	id     int64
	list   *listing
	shared bool
	closed bool
	at     int // the segment that was used last: sessions go through in order
}

var _ mailstore.Drop = (*drop)(nil)

// Open opens a maildrop.
func (s *Store) Open(ctx context.Context, id mailstore.DropID, view mailstore.View) (mailstore.Drop, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if !view.Shared {
		if err := s.locks.lock(int64(id)); err != nil {
			return nil, fault("lock a maildrop", err)
		}
	}
	l, err := s.listing(ctx, int64(id))
	if err != nil {
		if !view.Shared {
			err = errors.Join(err, s.locks.unlock(int64(id)))
		}
		return nil, fault("open a maildrop", err)
	}
	return &drop{store: s, id: int64(id), list: l, shared: view.Shared}, nil
}

func (d *drop) Len() int      { return d.list.len() }
func (d *drop) Octets() int64 { return d.list.octets }

// find returns the segment of message i and the index in it. Like a slice it panics if there is no such message.
func (d *drop) find(i int) (*segment, int) {
	l := d.list
	if d.at < len(l.segments) && i >= l.starts[d.at] && i < l.starts[d.at+1] {
		return l.segments[d.at], i - l.starts[d.at]
	}
	if i < 0 || i >= l.len() {
		panic(fmt.Sprintf("sqlstore: message %d of %d", i, l.len()))
	}
	d.at = sort.SearchInts(l.starts, i+1) - 1
	return l.segments[d.at], i - l.starts[d.at]
}

func (d *drop) Size(i int) int64 {
	g, j := d.find(i)
	return g.records[j].octets(g.extras)
}

func (d *drop) AppendUID(dst []byte, i int) []byte {
	g, j := d.find(i)
	return g.records[j].appendUID(dst, g.extras)
}

// Info returns what the catalog knows of message i.
func (d *drop) Info(ctx context.Context, i int) (info mailstore.Info, err error) {
	g, j := d.find(i)
	err = d.store.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		info, err = scanInfo(tx.QueryRow(ctx, sqlInfo, d.id, g.seq(j)))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return mailstore.Info{}, mailstore.ErrGone
	}
	return info, fault("read a message's row", err)
}

// scanInfo reads the columns that sqlInfo and sqlInfos have in common, after those in more.
func scanInfo(row interface{ Scan(...any) error }, more ...any) (info mailstore.Info, err error) {
	var sum []byte
	var received int64
	dst := append(more, &info.UID, &info.Size, &info.Header, &info.Wire, &sum, &received, &info.Sender, &info.Recipient)
	if err = row.Scan(dst...); err != nil {
		return mailstore.Info{}, err
	}
	copy(info.SHA256[:], sum)
	info.Received = time.Unix(0, received).UTC()
	return info, nil
}

// Body opens message i.
func (d *drop) Body(ctx context.Context, i int) (mailstore.Body, error) {
	g, j := d.find(i)
	r := &g.records[j]
	want := r.octets(g.extras)
	f, size, err := d.store.openBody(ctx, r.body, want)
	if errors.Is(err, fs.ErrNotExist) {
		return mailstore.Body{}, d.missing(ctx, g, j, err)
	}
	if errors.Is(err, body.ErrSize) {
		return mailstore.Body{}, d.corrupt(g, j, fmt.Sprintf("its body has not %d octets", want), err)
	}
	if err != nil {
		return mailstore.Body{}, fault("open a message", err)
	}
	if size != want {
		return mailstore.Body{}, errors.Join(d.corrupt(g, j, fmt.Sprintf("its body has %d octets, not %d", size, want), nil), f.Close())
	}
	return mailstore.Body{R: f, Size: size, Header: r.header(g.extras), Wire: r.wire()}, nil
}

// openBody opens a body and returns its size, which ought to be want. A small one comes in memory.
func (s *Store) openBody(ctx context.Context, id body.ID, want int64) (io.ReadCloser, int64, error) {
	if want < body.MaxLoad {
		l, err := s.bodies.Load(ctx, id, want)
		switch {
		case err == nil:
			return l, want, nil
		case !errors.Is(err, body.ErrSize):
			return nil, 0, err
		}
	}
	return s.bodies.Open(ctx, id, want)
}

// missing says why a body is not there: its message was swept or its maildrop removed meanwhile, or it is lost.
func (d *drop) missing(ctx context.Context, g *segment, j int, cause error) error {
	err := d.store.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if _, err := readDrop(ctx, tx, d.id); err != nil {
			return err
		}
		_, err := scanInfo(tx.QueryRow(ctx, sqlInfo, d.id, g.seq(j)))
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows), errors.Is(err, mailstore.ErrRemoved):
		return mailstore.ErrGone
	case err != nil:
		return fault("open a message", err)
	}
	return d.corrupt(g, j, "its body is missing", cause)
}

func (d *drop) corrupt(g *segment, j int, detail string, cause error) error {
	uid := string(g.records[j].appendUID(nil, g.extras))
	return &mailstore.CorruptError{Drop: mailstore.DropID(d.id), UID: uid, Detail: detail, Err: cause}
}

// Close releases the lock.
func (d *drop) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if d.shared {
		return nil
	}
	return fault("unlock a maildrop", d.store.locks.unlock(d.id))
}
