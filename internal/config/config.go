package config

// Config is the one TOML file, as a tree. The doc comments of its fields are the documentation of the keys: `postamt
// config doc` and docs/configure.md are made from them, so they speak to operators.
type Config struct {
	// Folder that holds everything: catalog, messages, the self-signed certificate, sockets. Empty means
	// $STATE_DIRECTORY (set by systemd), else /var/lib/postamt for root, else ~/.local/share/postamt. It cannot change
	// while the daemon runs.
	Data string `toml:"data" json:"data"`
	// Name of this host, like "mail.example.org": for the self-signed certificate, the greeting of LMTP, and the
	// challenges of APOP and CRAM-MD5.
	// Empty means the machine's own name.
	Hostname string `toml:"hostname" json:"hostname"`
	// Domains whose mail is kept here, like ["example.org"]. user@DOMAIN and user are then the same account; the first
	// one is the default.
	Domains []string `toml:"domains" json:"domains"`

	POP3      POP3      `toml:"pop3" json:"pop3"`
	LMTP      LMTP      `toml:"lmtp" json:"lmtp"`
	TLS       TLS       `toml:"tls" json:"tls"`
	SignIn    SignIn    `toml:"sign_in" json:"sign_in"`
	Limits    Limits    `toml:"limits" json:"limits"`
	Store     Store     `toml:"store" json:"store"`
	Log       Log       `toml:"log" json:"log"`
	Metrics   Metrics   `toml:"metrics" json:"metrics"`
	Collector Collector `toml:"collector" json:"collector"`
	Fetch     []Fetch   `toml:"fetch" json:"fetch"`
	OAuth     []OAuth   `toml:"oauth" json:"oauth"`
}

// POP3 is the counter where mail is picked up.
type POP3 struct {
	// Addresses for POP3 with STLS, host:port each: "0.0.0.0:110" is all of IPv4, "[::]:110" all of IPv6, ":110" both.
	// Port 110 is the standard one; systemd sockets named "pop3" are added.
	Listen []string `toml:"listen" json:"listen"`
	// Addresses for POP3S (TLS from the first octet). Port 995 is the standard one; systemd sockets named "pop3s" are added.
	ListenTLS []string `toml:"listen_tls" json:"listen_tls"`
	// Where a password may cross the wire without TLS: "loopback", "never" or "always".
	Cleartext string `toml:"cleartext" json:"cleartext"`
	// Refuse every sign-in without TLS, also those that show no password (SCRAM, CRAM-MD5, APOP).
	RequireTLS bool `toml:"require_tls" json:"require_tls"`
	// Offer APOP. Weak (MD5) and needs secrets kept in the clear: only for old devices.
	APOP bool `toml:"apop" json:"apop"`
	// Offer AUTH CRAM-MD5. Weak (MD5) and needs secrets kept in the clear.
	CRAMMD5 bool `toml:"cram_md5" json:"cram_md5"`
	// Refuse the password of an account whose secret is kept for APOP or CRAM-MD5, so that it never crosses the wire
	// (RFC 1939, section 13).
	SecretOnly bool `toml:"secret_only" json:"secret_only"`
	// Answer the LAST command of RFC 1460.
	Last bool `toml:"last" json:"last"`
	// Say in CAPA which program and version this is.
	Implementation bool `toml:"implementation" json:"implementation"`
	// Close a connection after this long without a command. RFC 1939 allows no less than 10 minutes.
	IdleTimeout Duration `toml:"idle_timeout" json:"idle_timeout"`
}

// LMTP is the counter where Postfix, Exim and others hand in mail.
type LMTP struct {
	// Addresses: "unix:PATH" (relative to the data folder) or host:port. LMTP knows no passwords: keep TCP on loopback.
	// systemd sockets named "lmtp" are added.
	Listen []string `toml:"listen" json:"listen"`
	// File mode of unix sockets, octal.
	SocketMode string `toml:"socket_mode" json:"socket_mode"`
	// Largest message taken, at least 64KiB (RFC 5321).
	MaxMessage Size `toml:"max_message" json:"max_message"`
	// Put Return-Path and Received lines before each message. Off, a message is picked up with the same octets with
	// which it came in; the envelope is in the catalog either way.
	Trace bool `toml:"trace" json:"trace"`
	// Sign between user and detail in user+detail@domain; empty for none.
	RecipientDelimiter string `toml:"recipient_delimiter" json:"recipient_delimiter"`
}

// TLS is certificates and versions. Without certificates a self-signed one is made in the data folder and kept.
type TLS struct {
	// Certificates, chosen by the name the client asks for (SNI); the first one serves the rest.
	Certificates []Certificate `toml:"certificates" json:"certificates"`
	// Oldest version spoken: "1.2" or "1.3". TLS 1.0 and 1.1 are gone for good (RFC 8996).
	MinVersion string `toml:"min_version" json:"min_version"`
}

// Certificate is a pair of PEM files, read again on reload and when they change.
type Certificate struct {
	// Certificate chain, the server's own certificate first. A relative path starts at the folder of this file.
	Cert string `toml:"cert" json:"cert" required:"true"`
	// Private key, without a passphrase. RSA keys have at least 2048 bits.
	Key string `toml:"key" json:"key" required:"true"`
}

// SignIn is how passwords are kept and checked.
type SignIn struct {
	// Memory for one argon2id hash.
	Argon2Memory Size `toml:"argon2_memory" json:"argon2_memory"`
	// Passes of argon2id.
	Argon2Passes int `toml:"argon2_passes" json:"argon2_passes"`
	// Argon2id hashes at the same time; bounds the memory a storm of sign-ins takes. 0 means one per processor.
	Argon2Concurrency int `toml:"argon2_concurrency" json:"argon2_concurrency"`
	// How long a verified password is remembered (in memory, under a keyed hash), so that clients that poll cost little.
	// 0 means never.
	Remember Duration `toml:"remember" json:"remember"`
	// Keep SCRAM keys beside the password hash, so that SCRAM can be offered.
	SCRAM bool `toml:"scram" json:"scram"`
	// Iterations of SCRAM's PBKDF2, at least 4096. A client pays them at each sign-in. Keys that are there keep theirs until the
	// account signs in with its password itself or gets a new one; until then the number tells that the account exists.
	SCRAMIterations int `toml:"scram_iterations" json:"scram_iterations"`
	// Wrong guesses from one address (IPv6: one /64) before it has to wait.
	FreeFailuresPerAddress int `toml:"free_failures_per_address" json:"free_failures_per_address"`
	// Wrong guesses against one account before sign-ins to it have to wait.
	FreeFailuresPerAccount int `toml:"free_failures_per_account" json:"free_failures_per_account"`
	// Longest wait after wrong guesses. It concerns the owner of an account, too, so keep it short.
	MaxDelay Duration `toml:"max_delay" json:"max_delay"`
}

// Limits is what clients can take at most.
type Limits struct {
	// POP3 connections in all.
	Connections int `toml:"connections" json:"connections"`
	// POP3 connections from one address (IPv6: one /64). A thousand devices behind one NAT that look for mail every five
	// minutes hold about ten at a time; a whole campus or a mobile carrier may need more.
	ConnectionsPerAddress int `toml:"connections_per_address" json:"connections_per_address"`
	// POP3 connections signed in or signing in to one account. Only one at a time has the maildrop; the others are told
	// that it is in use.
	ConnectionsPerAccount int `toml:"connections_per_account" json:"connections_per_account"`
	// Octets a client may send before it has signed in, on one connection.
	OctetsBeforeSignIn Size `toml:"octets_before_sign_in" json:"octets_before_sign_in"`
	// Bad commands before the connection is closed.
	BadCommands int `toml:"bad_commands" json:"bad_commands"`
	// Time for a TLS handshake.
	HandshakeTimeout Duration `toml:"handshake_timeout" json:"handshake_timeout"`
	// Time in which a client must take at least some octets of a reply, else it counts as gone.
	WriteTimeout Duration `toml:"write_timeout" json:"write_timeout"`
	// LMTP connections in all.
	LMTPConnections int `toml:"lmtp_connections" json:"lmtp_connections"`
}

// Store is how mail is kept.
type Store struct {
	// How long deleted messages can be brought back with `postamt undelete`. A change takes effect at the next start.
	UndeleteWindow Duration `toml:"undelete_window" json:"undelete_window"`
	// How often what is past the window is removed for good.
	SweepInterval Duration `toml:"sweep_interval" json:"sweep_interval"`
	// Memory for packed listings of maildrops that were open lately. A change takes effect at the next start.
	ListingCache Size `toml:"listing_cache" json:"listing_cache"`
}

// Log is what is written to standard error.
type Log struct {
	// "text" or "json".
	Format string `toml:"format" json:"format"`
	// "debug", "info", "warn" or "error".
	Level string `toml:"level" json:"level"`
}

// Metrics is the page for monitoring.
type Metrics struct {
	// Address of /metrics (Prometheus) and /healthz, like "127.0.0.1:9110"; keep it on loopback. Empty means none. A
	// change takes effect at the next start.
	Listen string `toml:"listen" json:"listen"`
}
