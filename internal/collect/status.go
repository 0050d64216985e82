package collect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/postamt/postamt/internal/catalog"
)

// A Status is what the journal knows of an account as a whole. Times are zero for never.
type Status struct {
	Account   string
	Started   time.Time // of the last run
	Ended     time.Time
	Succeeded time.Time // end of the last run without an error
	Next      time.Time // when a Schedule runs it again
	Failures  int       // runs that failed in a row
	Failing   time.Time // end of the first of them
	Class     Class     // of the last error
	Error     string    // of the last run, empty if it succeeded
	Alarmed   time.Time // when an alarm was raised that has not been taken back
	Listed    int       // messages at the source at the last run that succeeded
	Fetched   int64     // messages in all runs
	Octets    int64
	Deleted   int64
	// Remembered are the messages in the journal, Waiting those of them that are not fetched yet, SetAside those that
	// failed at least once, Deleting those whose deletion is not confirmed.
	Remembered, Waiting, SetAside, Deleting int
}

const statusColumns = "name, ran, ended, succeeded, next, failures, class, error, alarmed, listed, fetched, octets, deleted, failing"

// Statuses returns the status of each account that the journal knows, in order of their names.
func (j *Journal) Statuses(ctx context.Context) ([]Status, error) {
	var all []Status
	err := j.db.Read(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
		all = nil
		rows, err := tx.Query(ctx, "SELECT "+statusColumns+" FROM collect_accounts ORDER BY name")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			s, err := scanStatus(rows)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for i := range all {
			if err := countMessages(ctx, tx, &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the status of accounts in the journal: %w", err)
	}
	return all, nil
}

// Status returns the status of an account; for one that never ran, a Status with nothing but its name.
func (j *Journal) Status(ctx context.Context, account string) (Status, error) {
	var s Status
	err := j.db.Read(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
		s, err = scanStatus(tx.QueryRow(ctx, "SELECT "+statusColumns+" FROM collect_accounts WHERE name = ?", account))
		if errors.Is(err, sql.ErrNoRows) {
			s = Status{Account: account}
			return nil
		}
		if err != nil {
			return err
		}
		return countMessages(ctx, tx, &s)
	})
	if err != nil {
		return Status{}, fmt.Errorf("read the status of %s in the journal: %w", account, err)
	}
	return s, nil
}

func scanStatus(row interface{ Scan(...any) error }) (Status, error) {
	var s Status
	var ran, ended, succeeded, next, alarmed, failing int64
	err := row.Scan(&s.Account, &ran, &ended, &succeeded, &next, &s.Failures, &s.Class, &s.Error, &alarmed, &s.Listed,
		&s.Fetched, &s.Octets, &s.Deleted, &failing)
	s.Started, s.Ended, s.Succeeded = at(ran), at(ended), at(succeeded)
	s.Next, s.Alarmed, s.Failing = at(next), at(alarmed), at(failing)
	return s, err
}

func countMessages(ctx context.Context, tx catalog.Tx, s *Status) error {
	return tx.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN phase < ? THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN phase < ? AND failure <> '' THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN phase = ? AND missing = 0 THEN 1 ELSE 0 END), 0)
		FROM collect_messages WHERE account = ?`, phaseSettled, phaseSettled, phaseDeleting, s.Account).
		Scan(&s.Remembered, &s.Waiting, &s.SetAside, &s.Deleting)
}

func at(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// seconds is the inverse of at.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// addAccount makes the account's row, if it is not there.
func addAccount(ctx context.Context, tx catalog.Tx, account string) error {
	_, err := tx.Exec(ctx, `INSERT INTO collect_accounts
		(name, begun, ran, ended, succeeded, next, failures, class, error, alarmed, listed, fetched, octets, deleted)
		VALUES (?, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING`, account)
	return err
}

// ended notes the end of a run and returns what it amounts to. One that was cancelled is neither a success nor a failure.
// What is refused without a reason for the third time needs a person.
func (j *Journal) ended(ctx context.Context, r Report, failure error) error {
	result := failure
	err := j.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		result = failure
		if err := addAccount(ctx, tx, r.Account); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE collect_accounts SET ran = ?, ended = ?,
			fetched = fetched + ?, octets = octets + ?, deleted = deleted + ? WHERE name = ?`,
			r.Started.Unix(), r.Ended.Unix(), r.Fetched, r.Octets, r.Deleted, r.Account); err != nil {
			return err
		}
		var err error
		switch Classify(failure) {
		case OK:
			_, err = tx.Exec(ctx, `UPDATE collect_accounts SET failures = 0, refused = 0, failing = 0, class = ?, error = '',
				succeeded = ?, listed = ? WHERE name = ?`, OK, r.Ended.Unix(), r.Listed, r.Account)
			return err
		case Cancelled:
			return nil
		case Refused:
			var refused int
			err = tx.QueryRow(ctx, "UPDATE collect_accounts SET refused = refused + 1 WHERE name = ? RETURNING refused", r.Account).Scan(&refused)
			if err != nil {
				return err
			}
			if refused >= refusedBefore {
				result = &PermanentError{fmt.Errorf("%w (refused %d times since it worked last)", failure, refused)}
			}
		}
		_, err = tx.Exec(ctx, `UPDATE collect_accounts SET failures = failures + 1, class = ?, error = ?,
			failing = CASE WHEN failing = 0 THEN ? ELSE failing END WHERE name = ?`,
			Classify(result), shorten(result.Error()), r.Ended.Unix(), r.Account)
		return err
	})
	if err != nil {
		return errors.Join(failure, fmt.Errorf("note the end of the run of %s in the journal: %w", r.Account, err))
	}
	return result
}

// schedule notes when an account runs next, and whether an alarm stands.
func (j *Journal) schedule(ctx context.Context, account string, next, alarmed time.Time) error {
	err := j.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := addAccount(ctx, tx, account); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE collect_accounts SET next = ?, alarmed = ? WHERE name = ?", seconds(next), seconds(alarmed), account)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the next run of %s in the journal: %w", account, err)
	}
	return nil
}

// Retry lets messages that failed be tried again at the next run as if for the first time, and takes back what was left
// by rule (by a filter, or at the start). It returns how many messages that are.
func (j *Journal) Retry(ctx context.Context, account string) (n int, err error) {
	err = j.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		res, err := tx.Exec(ctx, `UPDATE collect_messages SET attempts = 0, failure = '', outcome = ?,
			phase = CASE WHEN phase < ? THEN phase ELSE ? END
			WHERE account = ? AND (phase < ? AND failure <> '' OR phase = ? AND outcome = ?)`,
			outcomeNone, phaseSettled, phaseSeen, account, phaseSettled, phaseSettled, outcomeLeft)
		if err != nil {
			return err
		}
		rows, err := res.RowsAffected()
		n = int(rows)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retry messages of %s: %w", account, err)
	}
	return n, nil
}

// ForgetAccount removes everything that is known of an account: the next run fetches all that the source has.
func (j *Journal) ForgetAccount(ctx context.Context, account string) error {
	err := j.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		for _, query := range []string{
			"DELETE FROM collect_deliveries WHERE account = ?",
			"DELETE FROM collect_messages WHERE account = ?",
			"DELETE FROM collect_accounts WHERE name = ?",
		} {
			if _, err := tx.Exec(ctx, query, account); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget %s: %w", account, err)
	}
	return nil
}

// maxFailure bounds the text of an error in the journal, in octets.
const maxFailure = 500

func shorten(s string) string {
	if len(s) <= maxFailure {
		return s
	}
	n := maxFailure
	for n > maxFailure-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
