package collect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/postamt/postamt/internal/catalog"
)

// A Journal is the memory of what was collected: for each message of each account how far it has come. It is written
// ahead, see doc.go, and its methods may be called concurrently, also by several processes.
type Journal struct {
	db *catalog.DB

	mu      sync.Mutex
	running map[string]struct{} // accounts that are being fetched in this process
}

// migrations is the schema. Times are seconds since 1970, 0 for never.
var migrations = []catalog.Migration{
	{Number: 1, SQL: `
CREATE TABLE collect_accounts (
	name      TEXT PRIMARY KEY,
	begun     BIGINT NOT NULL,  -- when the first listing was taken in; until then Rules.Start counts
	ran       BIGINT NOT NULL,  -- when the last run began
	ended     BIGINT NOT NULL,
	succeeded BIGINT NOT NULL,  -- when the last run without an error ended
	next      BIGINT NOT NULL,  -- when a Schedule will run it again
	failures  BIGINT NOT NULL,  -- runs that failed in a row
	class     BIGINT NOT NULL,  -- of the last error
	error     TEXT NOT NULL,
	alarmed   BIGINT NOT NULL,  -- when the alarm was raised that has not been taken back
	listed    BIGINT NOT NULL,  -- at the last run
	fetched   BIGINT NOT NULL,  -- in all runs
	octets    BIGINT NOT NULL,
	deleted   BIGINT NOT NULL
);
CREATE TABLE collect_messages (
	account  TEXT NOT NULL,
	key      TEXT NOT NULL,     -- Letter.Key
	uid      TEXT NOT NULL,
	size     BIGINT NOT NULL,   -- as listed
	digest   TEXT NOT NULL,     -- of the header, see identity
	msgid    TEXT NOT NULL,
	phase    BIGINT NOT NULL,
	outcome  BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	failure  TEXT NOT NULL,
	seen     BIGINT NOT NULL,
	tried    BIGINT NOT NULL,
	settled  BIGINT NOT NULL,
	deleting BIGINT NOT NULL,   -- when DELE was sent
	missing  BIGINT NOT NULL,   -- since when the listings lack it
	PRIMARY KEY (account, key)
);
CREATE INDEX collect_messages_msgid ON collect_messages (msgid);
CREATE TABLE collect_deliveries (
	account TEXT NOT NULL,
	key     TEXT NOT NULL,
	sink    TEXT NOT NULL,
	PRIMARY KEY (account, key, sink)
);`},
	{Number: 2, SQL: `
ALTER TABLE collect_accounts ADD COLUMN refused BIGINT NOT NULL DEFAULT 0; -- runs since the last success that were refused without a reason
ALTER TABLE collect_accounts ADD COLUMN failing BIGINT NOT NULL DEFAULT 0; -- when the first run since the last success failed
`},
	{Number: 3, SQL: `
ALTER TABLE collect_messages ADD COLUMN verdict BIGINT NOT NULL DEFAULT 0; -- of a scanner, plus 1, once a sink may have the message; 0: none
ALTER TABLE collect_messages ADD COLUMN fields TEXT NOT NULL DEFAULT '';   -- that it adds
ALTER TABLE collect_messages ADD COLUMN why TEXT NOT NULL DEFAULT '';
`},
}

// phase is how far a message has come.
type phase int64

const (
	phaseSeen       phase = iota // listed
	phaseDelivering              // being fetched; some sinks may have it
	phaseSettled                 // nothing more is to be fetched, see outcome
	phaseDeleting                // DELE sent, or about to be
	phaseConfirmed               // QUIT was answered with +OK after DELE
)

// outcome is why a message is settled.
type outcome int64

const (
	outcomeNone      outcome = iota
	outcomeDelivered         // in all sinks, durably
	outcomeDuplicate         // another account had it
	outcomeLeft              // left at the source by rule
	outcomeDiscarded         // to be deleted by rule, unfetched
)

// An entry is what the journal knows of a message.
type entry struct {
	key, uid, digest, msgid string
	failure                 string
	size                    int64
	phase                   phase
	outcome                 outcome
	attempts                int
	seen, tried, settled    int64
	deleting, missing       int64
	sinks                   []string // that have it, while it is not settled
	found                   *Finding // what holds because some sink may have it, while it is not settled
	fresh                   bool     // this run saw it first
}

func (e *entry) isSettled() bool { return e.phase >= phaseSettled }

// NewJournal opens the journal in a catalog, which may be one that others use as well, and makes its tables.
func NewJournal(ctx context.Context, db *catalog.DB) (*Journal, error) {
	if err := db.Migrate(ctx, "collect", migrations); err != nil {
		return nil, fmt.Errorf("journal of the collector: %w", err)
	}
	return &Journal{db: db, running: map[string]struct{}{}}, nil
}

// load reads what is known of an account. begun is when its first listing was taken in, ran when the last run began that
// came to its end, each 0 for never.
func (j *Journal) load(ctx context.Context, account string) (entries []*entry, begun, ran int64, err error) {
	err = j.db.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		entries, begun, ran = nil, 0, 0
		err := tx.QueryRow(ctx, "SELECT begun, ran FROM collect_accounts WHERE name = ?", account).Scan(&begun, &ran)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		open := map[string]*entry{}
		if entries, err = readEntries(ctx, tx, account, open); err != nil || len(open) == 0 {
			return err
		}
		return readDeliveries(ctx, tx, account, open)
	})
	if err != nil {
		return nil, 0, 0, fmt.Errorf("read the journal of %s: %w", account, err)
	}
	return entries, begun, ran, nil
}

func readEntries(ctx context.Context, tx catalog.Tx, account string, open map[string]*entry) (entries []*entry, err error) {
	rows, err := tx.Query(ctx, `SELECT key, uid, size, digest, msgid, phase, outcome, attempts, failure, seen, tried, settled, deleting, missing,
		verdict, fields, why FROM collect_messages WHERE account = ? ORDER BY seen, key`, account)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		e := &entry{}
		var verdict Verdict
		var f Finding
		if err := rows.Scan(&e.key, &e.uid, &e.size, &e.digest, &e.msgid, &e.phase, &e.outcome, &e.attempts, &e.failure,
			&e.seen, &e.tried, &e.settled, &e.deleting, &e.missing, &verdict, &f.Fields, &f.Why); err != nil {
			return nil, err
		}
		if verdict > 0 {
			f.Verdict = verdict - 1
			e.found = &f
		}
		entries = append(entries, e)
		if !e.isSettled() {
			open[e.key] = e
		}
	}
	return entries, errors.Join(rows.Err(), ctx.Err())
}

// readDeliveries fills in which sinks have the messages that are not settled.
func readDeliveries(ctx context.Context, tx catalog.Tx, account string, open map[string]*entry) (err error) {
	rows, err := tx.Query(ctx, `SELECT d.key, d.sink FROM collect_deliveries d
		JOIN collect_messages m ON m.account = d.account AND m.key = d.key
		WHERE d.account = ? AND m.phase < ?`, account, phaseSettled)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key, sink string
		if err := rows.Scan(&key, &sink); err != nil {
			return err
		}
		if e := open[key]; e != nil {
			e.sinks = append(e.sinks, sink)
		}
	}
	return rows.Err()
}

// saveChunk is how many entries are written in one transaction at most, so that other writers get their turn.
const saveChunk = 1000

// A change is what save writes.
type change struct {
	entries []*entry // as they are now; those without a key are new to the journal only later and are left out
	forget  []string // keys
	begun   int64    // if not 0, the account has begun
}

// save makes a change durable. A large one is several transactions; begun is in the last one.
func (j *Journal) save(ctx context.Context, account string, c change) error {
	for {
		part := change{entries: c.entries[:min(saveChunk, len(c.entries))], forget: c.forget[:min(saveChunk, len(c.forget))]}
		c.entries, c.forget = c.entries[len(part.entries):], c.forget[len(part.forget):]
		last := len(c.entries) == 0 && len(c.forget) == 0
		if last {
			part.begun = c.begun
		}
		err := j.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error { return part.write(ctx, tx, account) })
		if err != nil {
			return fmt.Errorf("write the journal of %s: %w", account, err)
		}
		if last {
			return nil
		}
	}
}

func (c change) write(ctx context.Context, tx catalog.Tx, account string) error {
	for _, e := range c.entries {
		var verdict Verdict
		var f Finding
		if e.found != nil {
			f, verdict = *e.found, e.found.Verdict+1
		}
		if _, err := tx.Exec(ctx, `INSERT INTO collect_messages
			(account, key, uid, size, digest, msgid, phase, outcome, attempts, failure, seen, tried, settled, deleting, missing,
			verdict, fields, why)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (account, key) DO UPDATE SET uid = excluded.uid, size = excluded.size, digest = excluded.digest,
			msgid = excluded.msgid, phase = excluded.phase, outcome = excluded.outcome, attempts = excluded.attempts,
			failure = excluded.failure, tried = excluded.tried, settled = excluded.settled, deleting = excluded.deleting,
			missing = excluded.missing, verdict = excluded.verdict, fields = excluded.fields, why = excluded.why`,
			account, e.key, e.uid, e.size, e.digest, e.msgid, e.phase, e.outcome, e.attempts, e.failure,
			e.seen, e.tried, e.settled, e.deleting, e.missing, verdict, f.Fields, f.Why); err != nil {
			return err
		}
		for _, sink := range e.sinks {
			if _, err := tx.Exec(ctx, "INSERT INTO collect_deliveries (account, key, sink) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
				account, e.key, sink); err != nil {
				return err
			}
		}
	}
	for _, key := range c.forget {
		if _, err := tx.Exec(ctx, "DELETE FROM collect_deliveries WHERE account = ? AND key = ?", account, key); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM collect_messages WHERE account = ? AND key = ?", account, key); err != nil {
			return err
		}
	}
	if c.begun == 0 {
		return nil
	}
	if err := addAccount(ctx, tx, account); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE collect_accounts SET begun = ? WHERE name = ? AND begun = 0", c.begun, account)
	return err
}

// elsewhere returns which sinks got a message with this Message-ID from other accounts.
func (j *Journal) elsewhere(ctx context.Context, account, msgid string) (sinks []string, err error) {
	err = j.db.Read(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
		sinks = nil
		rows, err := tx.Query(ctx, `SELECT DISTINCT d.sink FROM collect_messages m
			JOIN collect_deliveries d ON d.account = m.account AND d.key = m.key WHERE m.msgid = ? AND m.account <> ?`, msgid, account)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var sink string
			if err := rows.Scan(&sink); err != nil {
				return err
			}
			sinks = append(sinks, sink)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("look for a Message-ID in the journal: %w", err)
	}
	return sinks, nil
}
