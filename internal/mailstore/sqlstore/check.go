package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// A checker is one Check under way.
type checker struct {
	store  *Store
	opt    mailstore.CheckOptions
	report mailstore.Report
	done   int
	total  int
}

// Check compares catalog and bodies. It takes no lock: what changes meanwhile is looked at as it is then. Deleted messages
// that can still be brought back are checked and counted too.
func (s *Store) Check(ctx context.Context, opt mailstore.CheckOptions) (mailstore.Report, error) {
	c := &checker{store: s, opt: opt}
	err := c.run(ctx)
	return c.report, fault("check the store", err)
}

func (c *checker) run(ctx context.Context) error {
	found, err := c.store.cat.Check(ctx)
	if err != nil {
		return err
	}
	for _, detail := range found {
		c.problem(mailstore.Problem{Kind: mailstore.ProblemCatalog, Detail: detail})
	}
	err = c.store.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, sqlCountAll).Scan(&c.total)
	})
	if err != nil {
		return err
	}
	c.progress(0)
	for last := int64(0); ; {
		var ids []int64
		err := c.store.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
			ids, err = readIDs(ctx, tx, sqlDropsFrom, last)
			return err
		})
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			if err := c.drop(ctx, id); err != nil {
				return err
			}
		}
		last = ids[len(ids)-1]
	}
	return c.store.eachOrphan(ctx, func(e body.Entry) error { return c.orphan(ctx, e) })
}

// maxProblems bounds the report: a folder of bodies that was lost is as many problems as there are messages.
const maxProblems = 10_000

func (c *checker) problem(p mailstore.Problem) {
	if len(c.report.Problems) == maxProblems {
		c.report.More++
		return
	}
	c.report.Problems = append(c.report.Problems, p)
}

// progress counts messages done. Mail that came after the count was taken does not make it go past the end.
func (c *checker) progress(n int) {
	c.done += n
	if c.opt.Progress != nil {
		c.opt.Progress(min(c.done, c.total), c.total)
	}
}

func (c *checker) drop(ctx context.Context, id int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.listing(ctx, id); err != nil {
		if errors.Is(err, mailstore.ErrRemoved) {
			return nil
		}
		return err
	}
	c.report.Drops++
	for next := int64(0); ; {
		var batch []infoRow
		err := c.store.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
			last := int64(0)
			if err := tx.QueryRow(ctx, sqlLastMessage, id).Scan(&last); err != nil || last < next {
				return err
			}
			// Sequence numbers have gaps; a batch ends with the chunk of the first message it finds.
			for ; len(batch) == 0 && next <= last; next += chunkSize {
				err := eachInfo(ctx, tx, id, next, next+chunkSize, func(i *infoRow) error {
					batch = append(batch, *i)
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return nil
		}
		for i := range batch {
			if err := c.message(ctx, id, &batch[i]); err != nil {
				return err
			}
		}
		c.progress(len(batch))
	}
}

// message checks one message's body.
func (c *checker) message(ctx context.Context, drop int64, m *infoRow) error {
	c.report.Messages++
	c.report.Octets += m.Size
	p := mailstore.Problem{Drop: mailstore.DropID(drop), UID: m.UID}
	f, size, err := c.store.bodies.Open(ctx, m.body, m.Size)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		there, err := c.stillThere(ctx, drop, m.seq)
		if err != nil || !there {
			return err
		}
		p.Kind, p.Detail = mailstore.ProblemBodyMissing, fmt.Sprintf("its body %s is missing", m.body)
		c.problem(p)
		return nil
	case err != nil:
		if ctx.Err() != nil {
			return err
		}
		p.Kind, p.Detail = mailstore.ProblemBodyDamaged, fmt.Sprintf("its body %s cannot be opened: %v", m.body, err)
		c.problem(p)
		return nil
	}
	defer f.Close()
	if size != m.Size {
		p.Kind = mailstore.ProblemBodyDamaged
		p.Detail = fmt.Sprintf("its body %s has %d octets, not %d", m.body, size, m.Size)
		c.problem(p)
		return nil
	}
	if !c.opt.Digests && !m.body.Bundled() { // one in a bundle has been read, and has no size but that of the row
		return nil
	}
	facts, err := body.Measure(f)
	switch {
	case err != nil:
		p.Kind, p.Detail = mailstore.ProblemBodyDamaged, fmt.Sprintf("its body %s cannot be read: %v", m.body, err)
	case facts.Octets != m.Size || facts.SHA256 != m.SHA256:
		p.Kind, p.Detail = mailstore.ProblemBodyDamaged, fmt.Sprintf("its body %s is not what was delivered: the digest differs", m.body)
	case facts.Header != m.Header || facts.Wire != m.Wire:
		p.Kind = mailstore.ProblemFactsWrong
		p.Detail = fmt.Sprintf("the catalog says header %d and wire %t, the body %s says %d and %t", m.Header, m.Wire, m.body,
			facts.Header, facts.Wire)
		if c.opt.Repair {
			if err := c.store.repairFacts(ctx, drop, m.seq, &facts); err != nil {
				return err
			}
			p.Repaired = true
		}
	default:
		return nil
	}
	c.problem(p)
	return nil
}

func (c *checker) stillThere(ctx context.Context, drop, seq int64) (bool, error) {
	err := c.store.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		var octets int64
		return tx.QueryRow(ctx, sqlOctets, drop, seq).Scan(&octets)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (c *checker) orphan(ctx context.Context, e body.Entry) error {
	p := mailstore.Problem{
		Kind:   mailstore.ProblemOrphanBody,
		Detail: fmt.Sprintf("no message refers to body %s of %d octets", e.ID, e.Octets),
	}
	if c.opt.Repair {
		if err := c.store.bodies.Remove(ctx, e.ID); err != nil {
			return err
		}
		p.Repaired = true
	}
	c.problem(p)
	return nil
}
