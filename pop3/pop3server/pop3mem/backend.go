package pop3mem

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"sync"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

// A Backend is a pop3server.Backend in memory. The zero value has no accounts. Its methods may be called concurrently.
type Backend struct {
	// Secrets lets passwords serve as secrets for APOP and CRAM-MD5. Set it before the server starts.
	Secrets bool

	mu       sync.Mutex
	accounts map[string]*account
	fakeKey  [32]byte // for the SCRAM credentials of users that do not exist
	keyed    sync.Once
}

var _ pop3server.Backend = (*Backend)(nil)

// An account is one user with a maildrop. The Backend's mu guards it.
type account struct {
	name     string
	password string
	scram    map[sasl.ScramHash]sasl.ScramCredentials
	messages []message
	used     map[string]bool // unique-ids, for life (RFC 1939 §7)
	locked   bool
}

// A message never changes.
type message struct {
	uid  string
	body []byte
	size int64
}

// AddAccount adds an account with an empty maildrop, or sets its password if it is there.
func (b *Backend) AddAccount(name, password string) error {
	scram := make(map[sasl.ScramHash]sasl.ScramCredentials)
	for _, h := range []sasl.ScramHash{sasl.SHA1, sasl.SHA256} {
		cred, err := sasl.DeriveScramCredentials(h, password, sasl.NewSalt(), sasl.MinIterations)
		if err != nil {
			return fmt.Errorf("pop3mem: cannot use password of %s: %w", name, err)
		}
		scram[h] = cred
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[name]
	if a == nil {
		if b.accounts == nil {
			b.accounts = make(map[string]*account)
		}
		a = &account{name: name, used: make(map[string]bool)}
		b.accounts[name] = a
	}
	a.password, a.scram = password, scram
	return nil
}

// Deliver puts a message into a maildrop and returns its unique-id. Line ends may be CRLF, LF or both; they become CRLF
// when the message is sent. Sessions that are open do not see it.
func (b *Backend) Deliver(name string, body []byte) (uid string, err error) {
	uid = rand.Text()
	return uid, b.DeliverUID(name, uid, body)
}

// DeliverUID is Deliver with a unique-id of the caller's choice, which nothing in the maildrop may have had before.
func (b *Backend) DeliverUID(name, uid string, body []byte) error {
	if !pop3.ValidUID(uid) {
		return fmt.Errorf("pop3mem: %.80q is no unique-id", uid)
	}
	m := message{uid: uid, body: bytes.Clone(body), size: size(body)}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[name]
	if a == nil {
		return fmt.Errorf("pop3mem: no account %s", name)
	}
	if a.used[uid] {
		return fmt.Errorf("pop3mem: unique-id %s was used before", uid)
	}
	a.used[uid] = true
	a.messages = append(a.messages, m)
	return nil
}

// size returns the octets of a message with CRLF for each LF and at the end.
func size(body []byte) int64 {
	n := len(body) + bytes.Count(body, []byte("\n")) - bytes.Count(body, []byte("\r\n"))
	if len(body) > 0 && body[len(body)-1] != '\n' {
		n += len("\r\n")
	}
	return int64(n)
}

// UIDs returns the unique-ids of what is in a maildrop, in order of delivery.
func (b *Backend) UIDs(name string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var uids []string
	if a := b.accounts[name]; a != nil {
		for _, m := range a.messages {
			uids = append(uids, m.uid)
		}
	}
	return uids
}

// Auth offers everything.
func (b *Backend) Auth(*pop3server.Conn) pop3server.Auth {
	auth := pop3server.Auth{Password: b.password, SCRAM: b.scram}
	if b.Secrets {
		auth.Secret = b.secret
	}
	return auth
}

func (b *Backend) password(_ context.Context, _, authz, user, password string) (pop3server.Identity, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[user]
	if a == nil {
		a = new(account) // so that the answer takes the same time
	}
	right := subtle.ConstantTimeCompare([]byte(a.password), []byte(password)) == 1
	if !right || a.name == "" || authz != "" && authz != user {
		return pop3server.Identity{}, pop3server.ErrCredentials
	}
	return pop3server.Identity{User: user}, nil
}

func (b *Backend) secret(_ context.Context, _, user string) ([]byte, pop3server.Identity, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[user]
	if a == nil {
		return nil, pop3server.Identity{}, pop3server.ErrCredentials
	}
	return []byte(a.password), pop3server.Identity{User: user}, nil
}

func (b *Backend) scram(_ context.Context, mech, authz, user string) (sasl.ScramCredentials, pop3server.Identity, error) {
	b.keyed.Do(func() { _, _ = rand.Read(b.fakeKey[:]) }) // never fails (crypto/rand)
	hash := sasl.SHA256
	if mech == sasl.ScramSHA1 || mech == sasl.ScramSHA1Plus {
		hash = sasl.SHA1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[user]
	if a == nil || authz != "" && authz != user {
		return sasl.FakeScramCredentials(hash, b.fakeKey[:], user, sasl.MinIterations), pop3server.Identity{}, nil
	}
	return a.scram[hash], pop3server.Identity{User: user}, nil
}

// Open locks a maildrop.
func (b *Backend) Open(_ context.Context, _ *pop3server.Conn, id pop3server.Identity) (pop3server.Maildrop, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[id.User]
	if a == nil {
		return nil, pop3server.ErrCredentials
	}
	if a.locked {
		return nil, pop3server.ErrInUse
	}
	a.locked = true
	return &maildrop{b: b, a: a, list: a.messages[:len(a.messages):len(a.messages)]}, nil
}

// A maildrop is one session's snapshot.
type maildrop struct {
	b      *Backend
	a      *account
	list   listing
	closed bool
}

var _ pop3server.Maildrop = (*maildrop)(nil)

func (m *maildrop) Scan(context.Context) (pop3server.Listing, error) { return m.list, nil }

func (m *maildrop) Message(_ context.Context, i int) (pop3server.Body, error) {
	body := m.list[i].body
	return pop3server.Body{R: io.NopCloser(bytes.NewReader(body)), Form: pop3server.FormText, Size: int64(len(body))}, nil
}

func (m *maildrop) Update(_ context.Context, u pop3server.Outcome) error {
	gone := make(map[string]bool, len(u.Deleted))
	for _, i := range u.Deleted {
		gone[m.list[i].uid] = true
	}
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	kept := make([]message, 0, len(m.a.messages))
	for _, msg := range m.a.messages {
		if !gone[msg.uid] {
			kept = append(kept, msg)
		}
	}
	m.a.messages = kept
	return nil
}

func (m *maildrop) Close() error {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	if m.closed {
		return fmt.Errorf("pop3mem: maildrop of %s closed twice", m.a.name)
	}
	m.closed, m.a.locked = true, false
	return nil
}

// A listing is a maildrop's messages.
type listing []message

func (l listing) Len() int { return len(l) }

func (l listing) Octets() int64 {
	var n int64
	for _, m := range l {
		n += m.size
	}
	return n
}

func (l listing) Size(i int) int64 { return l[i].size }

func (l listing) AppendUID(dst []byte, i int) []byte { return append(dst, l[i].uid...) }
