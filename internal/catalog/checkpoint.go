package catalog

import (
	"context"
	"os"
	"time"
)

// checkpointer copies the log into the catalog some time after writes, on a connection of its own, so that no writer
// pays for it.
func (db *DB) checkpointer(kick <-chan struct{}) {
	var c *conn
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	delay := time.NewTimer(0)
	<-delay.C
	for {
		select {
		case <-db.stop:
			return
		case <-kick:
		}
		delay.Reset(db.opt.CheckpointDelay)
		select {
		case <-db.stop:
			delay.Stop()
			return
		case <-delay.C:
		}
		if c == nil {
			var err error
			if c, err = open(context.Background(), db.writers); err != nil {
				c = nil
				continue // the next write tries again; until then the log keeps everything
			}
		}
		if db.checkpoint(c) != nil {
			c.close()
			c = nil
		}
	}
}

// checkpoint copies what no reader holds back. A failure loses nothing: the log still has it.
func (db *DB) checkpoint(c *conn) error {
	err := c.do("PRAGMA wal_checkpoint(PASSIVE)")
	if err == nil {
		db.checkpoints.Add(1)
	}
	return err
}

// limitLog checkpoints between two batches when the log has grown too long: under constant load the background never
// catches up with the last commit, and the log starts anew only after it did.
func (w *writer) limitLog() {
	if w.conn == nil {
		return
	}
	fi, err := os.Stat(w.db.path + "-wal")
	if err != nil || fi.Size() < w.db.opt.MaxLog {
		return
	}
	if w.db.checkpoint(w.conn) != nil {
		w.dropConn()
	}
}
