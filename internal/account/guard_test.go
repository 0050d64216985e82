package account

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/sasl"
)

// A guardTest is a Guard over a directory with the accounts alice (password "tanstaaf"), bob (disabled, "tanstaaf") and
// carol (no password), with a clock that stands still and a count of the hashes computed.
type guardTest struct {
	*Guard
	db     *catalog.DB
	dir    *SQLDirectory
	clock  *testClock
	hashes *atomic.Int64
	alice  Account
}

var atHome = Attempt{Addr: netip.MustParseAddr("192.0.2.1"), Mech: "PASS"}

func newGuardTest(t testing.TB, opt GuardOptions, dirOpt SQLOptions) *guardTest {
	t.Helper()
	ctx := context.Background()
	g := &guardTest{clock: newTestClock(), db: newCatalog(t)}
	dirOpt.Hasher, g.hashes = newHasher(t, HasherOptions{})
	dirOpt.Now, opt.Now = g.clock.now, g.clock.now
	dirOpt.Domains = []string{"example.org"}
	g.dir = newDirectory(t, g.db, dirOpt)
	g.alice = addAccount(t, g.dir, "alice", "tanstaaf")
	addAccount(t, g.dir, "bob", "tanstaaf")
	addAccount(t, g.dir, "carol", "")
	if err := g.dir.SetDisabled(ctx, "bob", true); err != nil {
		t.Fatal(err)
	}
	g.Guard = NewGuard(g.dir, opt)
	t.Cleanup(g.Close)
	g.hashes.Store(0)
	return g
}

// Every way to be wrong is one error after one hash: nobody learns by text or time who exists, is disabled, or has a
// password.
func TestPassword(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, authz, user, password string
		want                        error
	}{
		{"right", "", "alice", "tanstaaf", nil},
		{"right, other case", "", "ALICE", "tanstaaf", nil},
		{"right, whole address", "", "alice@example.org", "tanstaaf", nil},
		{"right, as oneself", "alice", "alice", "tanstaaf", nil},
		{"right, as oneself by address", "Alice@example.org", "alice@example.org", "tanstaaf", nil},
		{"right, as oneself by account", "alice", "alice@example.org", "tanstaaf", nil},
		{"wrong", "", "alice", "Tanstaaf", sasl.ErrCredentials},
		{"empty", "", "alice", "", sasl.ErrCredentials},
		{"right, as somebody else", "bob", "alice", "tanstaaf", sasl.ErrCredentials},
		{"right, as no name", "a b", "alice", "tanstaaf", sasl.ErrCredentials},
		{"nobody", "", "nobody", "tanstaaf", sasl.ErrCredentials},
		{"no name", "", "no name", "tanstaaf", sasl.ErrCredentials},
		{"empty name", "", "", "", sasl.ErrCredentials},
		{"other domain", "", "alice@example.net", "tanstaaf", sasl.ErrCredentials},
		{"no password", "", "carol", "", sasl.ErrCredentials},
		{"disabled", "", "bob", "tanstaaf", ErrDisabled},
		{"disabled, wrong", "", "bob", "wrong", sasl.ErrCredentials},
		{"not UTF-8", "", "alice", "caf\xe9", sasl.ErrCredentials},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardTest(t, GuardOptions{}, SQLOptions{})
			a, err := g.Password(context.Background(), atHome, tt.authz, tt.user, tt.password)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if tt.want == sasl.ErrCredentials && err != sasl.ErrCredentials {
				t.Errorf("the error tells more than the others: %v", err)
			}
			if (err == nil) != (a.ID == g.alice.ID) || err != nil && a != (Account{}) {
				t.Errorf("account %+v", a)
			}
			if n := g.hashes.Load(); n != 1 {
				t.Errorf("%d hashes, want 1", n)
			}
		})
	}
}

func TestPasswordIsRemembered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Remember: 10 * time.Minute}, SQLOptions{})
	signIn := func(password string, want error, hashes int64) {
		t.Helper()
		if _, err := g.Password(ctx, atHome, "", "alice", password); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", password, err, want)
		}
		if n := g.hashes.Swap(0); n != hashes {
			t.Errorf("%q: %d hashes, want %d", password, n, hashes)
		}
	}
	signIn("tanstaaf", nil, 1)
	signIn("tanstaaf", nil, 0)
	signIn("wrong", sasl.ErrCredentials, 1)
	signIn("wrong", sasl.ErrCredentials, 0)
	signIn("tanstaaf", nil, 0)
	g.clock.advance(10 * time.Minute)
	signIn("tanstaaf", nil, 1)

	// A new password counts at once, and so does an account that is disabled.
	if err := g.dir.SetPassword(ctx, "alice", "new"); err != nil {
		t.Fatal(err)
	}
	g.hashes.Store(0)
	signIn("tanstaaf", sasl.ErrCredentials, 1)
	signIn("new", nil, 1)
	if err := g.dir.SetPassword(ctx, "alice", "wrong"); err != nil { // which was remembered as wrong
		t.Fatal(err)
	}
	g.hashes.Store(0)
	signIn("wrong", nil, 1)
	if err := g.dir.SetDisabled(ctx, "alice", true); err != nil {
		t.Fatal(err)
	}
	signIn("wrong", ErrDisabled, 0)
	// A new account of the same name does not take over what was remembered.
	if _, err := g.dir.Remove(ctx, "alice", nil); err != nil {
		t.Fatal(err)
	}
	signIn("wrong", sasl.ErrCredentials, 1)
	addAccount(t, g.dir, "alice", "wrong2")
	g.hashes.Store(0)
	signIn("wrong", sasl.ErrCredentials, 1)
}

func TestPasswordIsNotRememberedIfOff(t *testing.T) {
	t.Parallel()
	g := newGuardTest(t, GuardOptions{Remember: -1}, SQLOptions{})
	for range 3 {
		if _, err := g.Password(context.Background(), atHome, "", "alice", "tanstaaf"); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.hashes.Load(); n != 3 {
		t.Errorf("%d hashes, want 3", n)
	}
}

func TestPasswordComposesCharacters(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	if err := g.dir.SetPassword(ctx, "alice", "caf\u00e9"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Password(ctx, atHome, "", "alice", "cafe\u0301"); err != nil {
		t.Error(err)
	}
}

func TestPasswordIsThrottled(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, user := range []string{"alice", "nobody"} { // no difference
		g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAccount: 2}}, SQLOptions{})
		try := func(user, password string) error {
			_, err := g.Password(ctx, atHome, "", user, password)
			return err
		}
		for _, password := range []string{"a", "b", "c"} {
			if err := try(user, password); !errors.Is(err, sasl.ErrCredentials) {
				t.Fatalf("%s: %v", user, err)
			}
		}
		g.hashes.Store(0)
		for _, name := range []string{user, strings.ToUpper(user), user + "@example.org"} {
			var te *ThrottledError
			if err := try(name, "tanstaaf"); !errors.As(err, &te) || te.After != time.Second {
				t.Errorf("%s: %v, want to be throttled for a second", name, err)
			}
		}
		if n := g.hashes.Load(); n != 0 {
			t.Errorf("%s: %d hashes while throttled, want none", user, n)
		}
		if err := try("carol", "d"); !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("another account: %v", err)
		}
		g.clock.advance(time.Second)
		if err := try("alice", "tanstaaf"); err != nil {
			t.Errorf("after a second: %v", err)
		}
	}
}

// A client that was not told the new password tries the old one for ever. It counts once an hour, costs no hash, and
// locks out nobody.
func TestSameWrongPasswordCountsOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAccount: 2, FreePerAddress: 2}}, SQLOptions{})
	for range 300 {
		if _, err := g.Password(ctx, atHome, "", "alice", "old"); err != sasl.ErrCredentials {
			t.Fatal(err)
		}
		g.clock.advance(time.Minute)
	}
	if n := g.hashes.Load(); n != 5 {
		t.Errorf("%d hashes in five hours, want 5", n)
	}
	if _, err := g.Password(ctx, atHome, "", "alice", "tanstaaf"); err != nil {
		t.Error("the right password beside it:", err)
	}
}

// The same wrong password from elsewhere is another guess: what others tried must not show.
func TestSameWrongPasswordElsewhereIsAnother(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	elsewhere := Attempt{Addr: netip.MustParseAddr("2001:db8::1")}
	neighbour := Attempt{Addr: netip.MustParseAddr("2001:db8::2")}
	for i, tt := range []struct {
		at     Attempt
		hashes int64
	}{{atHome, 1}, {elsewhere, 2}, {neighbour, 2}, {Attempt{}, 3}} {
		if _, err := g.Password(ctx, tt.at, "", "alice", "old"); err != sasl.ErrCredentials {
			t.Fatal(err)
		}
		if n := g.hashes.Load(); n != tt.hashes {
			t.Errorf("attempt %d: %d hashes in all, want %d", i, n, tt.hashes)
		}
	}
}

// A wrong password that came too late to be answered is not known to be wrong the next time either, when it costs nothing.
func TestLateWrongPasswordIsNotRemembered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAddress: 2}}, SQLOptions{})
	derive := g.dir.hasher.derive
	g.dir.hasher.derive = func(password, salt []byte, cost argon2Cost, keyLen uint32) []byte {
		if string(password) == "late" { // others fail while this one is being looked at
			a := attempt{origin(atHome.Addr), "alice"}
			for range 3 {
				_ = g.throttle.failed(g.clock.now(), a)
			}
		}
		return derive(password, salt, cost, keyLen)
	}
	var te *ThrottledError
	if _, err := g.Password(ctx, atHome, "", "alice", "late"); !errors.As(err, &te) {
		t.Errorf("%v, want to be throttled", err)
	}
	g.dir.hasher.derive = derive
	g.clock.advance(time.Second)
	if _, err := g.Password(ctx, atHome, "", "alice", "late"); !errors.Is(err, sasl.ErrCredentials) {
		t.Errorf("the next time: %v", err)
	}
	if _, err := g.Password(ctx, atHome, "", "alice", "other"); !errors.As(err, &te) || te.After != 2*time.Second {
		t.Errorf("%v, want to be throttled for two seconds: the guess was answered, so it counts", err)
	}
}

func TestPasswordBusyIsNotCounted(t *testing.T) {
	t.Parallel()
	g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAccount: 1, FreePerAddress: 1}}, SQLOptions{})
	g.dir.hasher.gate = newGate(1, 0)
	g.dir.hasher.gate.free = 0 // somebody is in
	for range 10 {
		if _, err := g.Password(context.Background(), atHome, "", "alice", "wrong"); !errors.Is(err, ErrBusy) {
			t.Fatalf("%v, want ErrBusy", err)
		}
	}
	g.dir.hasher.gate = newGate(1, 1)
	if _, err := g.Password(context.Background(), atHome, "", "alice", "tanstaaf"); err != nil {
		t.Error(err)
	}
}

func TestPasswordSystemFault(t *testing.T) {
	t.Parallel()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := g.Password(context.Background(), atHome, "", "alice", "tanstaaf")
	if !errors.Is(err, catalog.ErrClosed) || errors.Is(err, sasl.ErrCredentials) {
		t.Errorf("%v, want catalog.ErrClosed", err)
	}
	if _, _, err := g.Scram(context.Background(), atHome, "", "alice", "SHA-256"); !errors.Is(err, catalog.ErrClosed) {
		t.Errorf("%v, want catalog.ErrClosed", err)
	}
	if _, _, err := g.Secret(context.Background(), atHome, "alice"); !errors.Is(err, catalog.ErrClosed) {
		t.Errorf("%v, want catalog.ErrClosed", err)
	}
}

// A hash that is damaged is a fault of the system, which an operator hears of, and not a wrong password.
func TestPasswordDamagedHash(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAccount: 1, FreePerAddress: 1}}, SQLOptions{})
	err := g.db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE accounts SET argon2id = 'damaged', scram_sha_256 = 'damaged' WHERE id = ?", g.alice.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // which does not count as guessing
		if _, err := g.Password(ctx, atHome, "", "alice", "tanstaaf"); err == nil || errors.Is(err, sasl.ErrCredentials) || strings.Contains(err.Error(), "tanstaaf") {
			t.Fatalf("password: %v", err)
		}
		if _, _, err := g.Scram(ctx, atHome, "", "alice", "SHA-256"); !errors.Is(err, errSCRAMText) {
			t.Fatalf("SCRAM: %v", err)
		}
	}
}

// A sign-in brings what is kept of the password up to what the configuration says now.
func TestPasswordIsHashedAnew(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Remember: -1}, SQLOptions{Keep: Keep{SCRAMIterations: -1}})
	h, count := newHasher(t, HasherOptions{Argon2: Argon2{Memory: 128 << 10, Passes: 2}})
	dir := newDirectory(t, g.db, SQLOptions{Hasher: h, Keep: Keep{SCRAMIterations: 5000}, Now: g.clock.now})
	later := NewGuard(dir, GuardOptions{Remember: -1, Now: g.clock.now})
	defer later.Close()
	for i, hashes := range []int64{2, 1} { // one to check and one to keep, then one to check
		if _, err := later.Password(ctx, atHome, "", "alice", "tanstaaf"); err != nil {
			t.Fatal(err)
		}
		if n := count.Swap(0); n != hashes {
			t.Errorf("sign-in %d: %d hashes, want %d", i+1, n, hashes)
		}
	}
	// Other iterations alone are reason enough, and so they are when keys are wanted that were not.
	dir = newDirectory(t, g.db, SQLOptions{Hasher: h, Keep: Keep{SCRAMIterations: 6000}, Now: g.clock.now})
	later = NewGuard(dir, GuardOptions{Remember: -1, Now: g.clock.now})
	defer later.Close()
	if _, err := later.Password(ctx, atHome, "", "alice", "tanstaaf"); err != nil {
		t.Fatal(err)
	}
	argon2id, _, sha256, _ := stored(t, dir, g.alice.ID)
	if !strings.HasPrefix(argon2id, "$argon2id$v=19$m=128,t=2,p=1$") || !strings.HasPrefix(sha256, "SCRAM-SHA-256$6000:") {
		t.Errorf("kept: %s and %s", argon2id, sha256)
	}
	if _, err := later.Password(ctx, atHome, "", "alice", "wrong"); err != sasl.ErrCredentials {
		t.Error(err)
	}
	// A hash made from an old password must not come back after the password was changed.
	r, err := dir.find(ctx, dir.candidates("alice", false))
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.SetPassword(ctx, "alice", "new"); err != nil {
		t.Fatal(err)
	}
	if err := dir.refresh(ctx, r, "tanstaaf"); err != nil {
		t.Fatal(err)
	}
	if _, err := later.Password(ctx, atHome, "", "alice", "tanstaaf"); err != sasl.ErrCredentials {
		t.Error("the old password is back:", err)
	}
}

func TestGuardConcurrently(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAddress: -1, FreePerAccount: -1}}, SQLOptions{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				user := []string{"alice", "bob", "carol", "nobody"}[(i+j)%4]
				_, err := g.Password(ctx, atHome, "", user, "tanstaaf")
				if want := []error{nil, ErrDisabled, sasl.ErrCredentials, sasl.ErrCredentials}[(i+j)%4]; !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", user, err, want)
				}
				if _, err := scram(t, g.Guard, sasl.SHA256, "", "alice", "tanstaaf"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
