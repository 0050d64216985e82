package config

// Collector is what all [[fetch]] accounts share. docs/fetch.md begins with five lines that are enough.
type Collector struct {
	// Accounts fetched at the same time.
	Parallel int `toml:"parallel" json:"parallel"`
	// Connections to one host at the same time, whoever's accounts they are for.
	PerHost int `toml:"per_host" json:"per_host"`
	// Account here into whose maildrop one notice is put when an account elsewhere cannot be fetched any more (wrong
	// password, wrong certificate, a rule that cannot be kept), and one when it can again. Empty means none.
	AlarmTo string `toml:"alarm_to" json:"alarm_to"`
	// Address (http:// or https://) that gets the same notice as JSON, by POST. Empty means none.
	AlarmWebhook string `toml:"alarm_webhook" json:"alarm_webhook"`
	// How long failures that may pass by themselves (server busy, no network) must go on until they, too, raise an alarm.
	AlarmAfter Duration `toml:"alarm_after" json:"alarm_after"`
}

// Fetch is a mailbox on another server whose mail is brought home. Each gets a [[fetch]] of its own; name, url, password
// and to are enough.
type Fetch struct {
	// Name of this account in commands, logs and the journal: letters, digits, ".", "-" and "_". With another name it is
	// another account, which has fetched nothing yet.
	Name string `toml:"name" json:"name" required:"true"`
	// Server and user: "pop3s://user@host" (TLS, port 995) or "pop3://user@host" (port 110, switched to TLS by STLS before
	// anything else), "imaps://user@host/FOLDER" (TLS, port 993) or "imap://user@host/FOLDER" (port 143, STARTTLS); without a
	// FOLDER it is INBOX. A port can follow the host. There is no falling back to an unprotected connection.
	URL string `toml:"url" json:"url" required:"true"`
	// User name, if it does not stand in url.
	User string `toml:"user" json:"user"`
	// Where the password comes from, never the password itself: "file:PATH", "command:PROGRAM ARGUMENT..." (its first line;
	// no shell), "env:NAME", "credential:NAME" (systemd's LoadCredential), "keyring" (of the desktop; postamt fetch
	// password puts it there) or "keyring:SERVICE/USER", "netrc" or "netrc:PATH", or "prompt" (asked by postamt fetch on a
	// terminal; the daemon cannot).
	Password string `toml:"password" json:"password"`
	// Where each message goes, all of them or none: "store:ACCOUNT" (an account here), "maildir:PATH", "mbox:PATH",
	// "pipe:PROGRAM ARGUMENT..." (no shell), "lmtp:HOST:PORT ADDRESS..." or "lmtp:unix:PATH ADDRESS...",
	// "smtp://[USER@]HOST[:PORT] ADDRESS..." (STARTTLS, except on this very machine) or "smtps://...", "gmail:ADDRESS
	// LABEL..." (by its API, with gmail_oauth), "imap://USER@HOST[:PORT]/FOLDER" (STARTTLS) or "imaps://...", or "multidrop:ACCOUNT" (to the accounts here that the envelope names, and to
	// ACCOUNT what is for none of them). "~/" before a PATH is the home folder.
	To []string `toml:"to" json:"to" required:"true"`

	// "required", or "none" for a pop3:// or imap:// server without TLS: password and mail can then be read on the way.
	TLS string `toml:"tls" json:"tls"`
	// Who vouches for the server: "authorities" (those of the system, or ca), "pins" (one of pins is enough, for a
	// self-signed certificate) or "first-use" (the key seen first is remembered; another one raises an alarm).
	Trust string `toml:"trust" json:"trust"`
	// File of certificates (PEM) of authorities to trust in place of the system's.
	CA string `toml:"ca" json:"ca"`
	// Public keys of which the server must have one, as "sha256/" and base64. An error about a wrong key shows the form.
	Pins []string `toml:"pins" json:"pins"`
	// Client certificate (PEM) to show to the server.
	ClientCert string `toml:"client_cert" json:"client_cert"`
	// Its private key.
	ClientKey string `toml:"client_key" json:"client_key"`
	// Way to the server that mail comes from: "socks5://[USER@]HOST:PORT" or "http://[USER@]HOST:PORT". Empty means directly.
	// Tokens are fetched on that way, too. Destinations are always reached directly.
	Proxy string `toml:"proxy" json:"proxy"`
	// Ways to sign in that may be used: SASL mechanisms and "USER" (the best of them that the server offers is taken), or
	// "APOP" alone. Empty means whatever the server offers that is safe on the connection.
	Auth []string `toml:"auth" json:"auth"`
	// How long the server may make no progress.
	Timeout Duration `toml:"timeout" json:"timeout"`
	// Largest message, as a bound on what a server can make us take.
	MaxMessage Size `toml:"max_message" json:"max_message"`

	// Leave mail on the server.
	Keep bool `toml:"keep" json:"keep"`
	// Leave mail on the server for this long after it was fetched, then delete it there. 0 means delete it at once, unless
	// keep is true.
	DeleteAfter Duration `toml:"delete_after" json:"delete_after"`
	// Leave this many messages on the server, the last ones of its list, even if they were fetched.
	KeepNewest int `toml:"keep_newest" json:"keep_newest"`
	// Leave larger messages where they are. 0 means none is too large.
	SkipAbove Size `toml:"skip_above" json:"skip_above"`
	// Delete larger messages on the server without fetching them. They are lost. 0 means none.
	DeleteAbove Size `toml:"delete_above" json:"delete_above"`
	// What to fetch at the very first run: "all", "now" (only what comes from then on), or what is at most so old, like
	// "7d". The rest stays on the server and is not downloaded.
	Start string `toml:"start" json:"start"`
	// Program with its arguments (no shell) that sees the header of each new message on standard input, before the rest is
	// downloaded if the server can show headers alone. Exit status 0: fetch, 1: delete without fetching, 2: leave for good.
	// Anything else: try again at the next run.
	Filter string `toml:"filter" json:"filter"`
	// Messages fetched in one run at most. 0 means all.
	LimitMessages int `toml:"limit_messages" json:"limit_messages"`
	// Octets fetched in one run at most. 0 means all.
	LimitOctets Size `toml:"limit_octets" json:"limit_octets"`
	// Octets fetched per second at most. 0 means as fast as it goes.
	Bandwidth Size `toml:"bandwidth" json:"bandwidth"`
	// Put a Received line before each message that says where it was fetched. Off, the octets stay as they are.
	Trace bool `toml:"trace" json:"trace"`
	// Leave out messages whose Message-ID another account has brought to the same places. They count as fetched.
	Dedupe bool `toml:"dedupe" json:"dedupe"`
	// How often the daemon looks for mail. A server that asks for more time (LOGIN-DELAY) gets it.
	Interval Duration `toml:"interval" json:"interval"`
	// Where the password for a smtp:// destination with a user comes from, written as password is.
	SMTPPassword string `toml:"smtp_password" json:"smtp_password"`
	// Name of the [[oauth]] whose tokens take the place of a password. Sign in with postamt fetch login NAME.
	OAuth string `toml:"oauth" json:"oauth"`
	// Name of the [[oauth]] for a gmail: destination. Sign in with postamt fetch login NAME.
	GmailOAuth string `toml:"gmail_oauth" json:"gmail_oauth"`
	// Let Gmail put into Spam what it takes for spam. Otherwise it never does.
	GmailSpam bool `toml:"gmail_spam" json:"gmail_spam"`
	// For a multidrop: destination, where the recipients of the envelope stand: the field that the provider's server writes
	// into each message, like "X-Original-To", "Delivered-To", "Envelope-To" or "Received" (for the address behind its
	// "for"); or "*ENV" if the server knows that command.
	Envelope string `toml:"envelope" json:"envelope"`
	// How many fields of that name stand above the right one.
	EnvelopeSkip int `toml:"envelope_skip" json:"envelope_skip"`
	// What the provider puts before each address there, to be taken off: "bob-" for "Delivered-To: bob-alice@example.org".
	EnvelopePrefix string `toml:"envelope_prefix" json:"envelope_prefix"`
	// Where the password for an imap:// destination comes from, written as password is.
	IMAPPassword string `toml:"imap_password" json:"imap_password"`
	// Name of the [[oauth]] for an imap:// destination. Sign in with postamt fetch login NAME.
	IMAPOAuth string `toml:"imap_oauth" json:"imap_oauth"`
	// Let the daemon keep a connection to an imap:// server that tells when mail comes (IDLE), so that it is fetched at
	// once and not after interval. It counts for collector.per_host, and one place is always left for other accounts.
	Idle bool `toml:"idle" json:"idle"`
	// Where the password for a proxy with a user comes from, written as password is.
	ProxyPassword string `toml:"proxy_password" json:"proxy_password"`
	// File of certificates (PEM) of authorities that smtp:// and smtps:// destinations trust in place of the system's.
	SMTPCA string `toml:"smtp_ca" json:"smtp_ca"`
	// Public keys, written as pins are, of which the server of an smtp:// or smtps:// destination must have one; nothing
	// else counts then, for a self-signed certificate. With this or smtp_ca, there is TLS also on this very machine.
	SMTPPins []string `toml:"smtp_pins" json:"smtp_pins"`
	// Where clamd of ClamAV listens, which looks for viruses: "unix:/run/clamav/clamd.ctl" or "127.0.0.1:3310". Empty means
	// that nobody looks.
	ClamAV string `toml:"clamav" json:"clamav"`
	// What is done with a message that has a virus in it: "tag" (deliver it with X-Virus-Status: Infected), "quarantine",
	// "leave" (on the server, for good) or "drop" (delete it on the server; it is lost).
	OnVirus string `toml:"on_virus" json:"on_virus"`
	// Where a worker of rspamd listens, which looks for spam: "http://127.0.0.1:11333" or "unix:PATH". Empty means that
	// nobody looks.
	Rspamd string `toml:"rspamd" json:"rspamd"`
	// Where the worker's password comes from, written as password is, if it wants one.
	RspamdPassword string `toml:"rspamd_password" json:"rspamd_password"`
	// What is done with a message that rspamd would reject, as on_virus. What is only probably spam ("add header") is
	// tagged with X-Spam-Flag: YES and delivered.
	OnSpam string `toml:"on_spam" json:"on_spam"`
	// Where mail in quarantine goes, in place of to: "store:ACCOUNT", "maildir:PATH", "mbox:PATH".
	Quarantine []string `toml:"quarantine" json:"quarantine"`
	// What is done while a scanner is away, or with a message that it cannot look at: "retry" (mail stays where it is and is
	// tried again; such a message five times, then once a day) or "deliver" (with a field that says so).
	ScanDown string `toml:"scan_down" json:"scan_down"`
	// File of certificates (PEM) of authorities that imap:// and imaps:// destinations trust in place of the system's.
	IMAPCA string `toml:"imap_ca" json:"imap_ca"`
	// Public keys, written as pins are, of which the server of an imap:// or imaps:// destination must have one; nothing
	// else counts then, for a self-signed certificate. With this or imap_ca, there is TLS also on this very machine.
	IMAPPins []string `toml:"imap_pins" json:"imap_pins"`
}
