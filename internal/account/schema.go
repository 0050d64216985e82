package account

import "github.com/postamt/postamt/internal/catalog"

// migrations make the tables of this package. Times are microseconds since 1970 in UTC, 0 for never. Credentials are
// text in formats that others read, too: the PHC string format and that of RFC 5803; empty means that there is none.
// version counts how often the password was set, iterations are those of the SCRAM keys.
var migrations = []catalog.Migration{
	{Number: 1, SQL: `
		CREATE TABLE accounts (
			id            BIGINT NOT NULL PRIMARY KEY,
			name          TEXT   NOT NULL UNIQUE,
			disabled      BIGINT NOT NULL,
			created       BIGINT NOT NULL,
			password_set  BIGINT NOT NULL,
			last_sign_in  BIGINT NOT NULL,
			version       BIGINT NOT NULL,
			iterations    BIGINT NOT NULL,
			argon2id      TEXT   NOT NULL,
			scram_sha_1   TEXT   NOT NULL,
			scram_sha_256 TEXT   NOT NULL,
			secret        TEXT   NOT NULL
		);
		CREATE TABLE account_ids (only_row BIGINT NOT NULL PRIMARY KEY, last_id BIGINT NOT NULL);
		INSERT INTO account_ids (only_row, last_id) VALUES (1, 0);
		CREATE TABLE account_keys (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
	`},
	{Number: 2, SQL: `ALTER TABLE accounts ADD COLUMN require_tls BIGINT NOT NULL DEFAULT 0;`},
}

const (
	sqlColumns = `id, name, disabled, created, password_set, last_sign_in, version, iterations, require_tls`

	sqlHasSecret = `CASE secret WHEN '' THEN 0 ELSE 1 END`

	sqlFind   = `SELECT ` + sqlColumns + `, ` + sqlHasSecret + `, argon2id FROM accounts WHERE name = ?`
	sqlPage   = `SELECT ` + sqlColumns + `, ` + sqlHasSecret + `, '' FROM accounts WHERE name > ? ORDER BY name LIMIT ?`
	sqlSCRAM  = `SELECT scram_sha_1, scram_sha_256 FROM accounts WHERE id = ?`
	sqlSecret = `SELECT secret FROM accounts WHERE id = ?`

	sqlNextID      = `UPDATE account_ids SET last_id = last_id + 1 WHERE only_row = 1`
	sqlLastID      = `SELECT last_id FROM account_ids WHERE only_row = 1`
	sqlAdd         = `INSERT INTO accounts (` + sqlColumns + `, argon2id, scram_sha_1, scram_sha_256, secret) VALUES (?, ?, 0, ?, 0, 0, 0, 0, 0, '', '', '', '')`
	sqlTakeIDs     = `UPDATE account_ids SET last_id = last_id + ? WHERE only_row = 1`
	sqlAddHashed   = `INSERT INTO accounts (` + sqlColumns + `, argon2id, scram_sha_1, scram_sha_256, secret) VALUES (?, ?, 0, ?, ?, 0, ?, 0, 0, ?, '', '', '') ON CONFLICT (name) DO NOTHING`
	sqlSetPassword = `UPDATE accounts SET password_set = ?, version = version + 1, iterations = ?, argon2id = ?, scram_sha_1 = ?, scram_sha_256 = ?, secret = ? WHERE id = ?`
	sqlRefresh     = `UPDATE accounts SET iterations = ?, argon2id = ?, scram_sha_1 = ?, scram_sha_256 = ? WHERE id = ? AND version = ?`
	sqlSetDisabled = `UPDATE accounts SET disabled = ? WHERE name = ?`
	sqlRequireTLS  = `UPDATE accounts SET require_tls = ? WHERE name = ?`
	sqlRemove      = `DELETE FROM accounts WHERE id = ?`
	sqlSignedIn    = `UPDATE accounts SET last_sign_in = ? WHERE id = ? AND last_sign_in < ?`

	sqlGetKey = `SELECT value FROM account_keys WHERE name = ?`
	sqlAddKey = `INSERT INTO account_keys (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`
)
