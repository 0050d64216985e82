package storetest

import (
	"testing"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/mailstore"
)

// A Config is how a test wants a store.
type Config struct {
	// Bodies is where message bodies lie.
	Bodies body.FS
	// Now is the clock.
	Now func() time.Time
	// Window is how long deleted messages can be brought back.
	Window time.Duration
	// MaxOctets is the most octets a message may have, 0 for any number.
	MaxOctets int64
}

// An Opener opens the store whose data are in dir, or makes it. A test opens the same folder again after closing, and
// also while it is open.
type Opener func(dir string, cfg Config) (mailstore.Store, error)

// Run runs the conformance, concurrency and model tests. It counts allocations, so t must not be parallel.
func Run(t *testing.T, open Opener) {
	t.Run("ListingDoesNotAllocate", func(t *testing.T) { testListingDoesNotAllocate(t, newFixture(t, open)) })
	for _, tt := range []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"Empty", testEmpty},
		{"Deliver", testDeliver},
		{"Form", testForm},
		{"Envelope", testEnvelope},
		{"Order", testOrder},
		{"SeveralMaildrops", testSeveralMaildrops},
		{"Abort", testAbort},
		{"NoRecipients", testNoRecipients},
		{"GivenUID", testGivenUID},
		{"BadUID", testBadUID},
		{"Key", testKey},
		{"TooLarge", testTooLarge},
		{"CancelledCommit", testCancelledCommit},
		{"Reopen", testReopen},
		{"Lock", testLock},
		{"LockAcrossOpeners", testLockAcrossOpeners},
		{"Snapshot", testSnapshot},
		{"Shared", testShared},
		{"Update", testUpdate},
		{"UpdateBadIndex", testUpdateBadIndex},
		{"CloseRemovesNothing", testCloseRemovesNothing},
		{"GoneWhileShared", testGoneWhileShared},
		{"Undelete", testUndelete},
		{"Sweep", testSweep},
		{"SweepKeepsSharedBody", testSweepKeepsSharedBody},
		{"SweepOrphans", testSweepOrphans},
		{"Bundle", testBundle},
		{"Batch", testBatch},
		{"BatchKey", testBatchKey},
		{"BatchRefused", testBatchRefused},
		{"BatchShares", testBatchShares},
		{"BatchFaults", testBatchFaults},
		{"Remove", testRemove},
		{"Usage", testUsage},
		{"CheckClean", testCheckClean},
		{"CheckDamage", testCheckDamage},
		{"Corrupt", testCorrupt},
		{"ParallelDeliveries", testParallelDeliveries},
		{"ParallelSameKey", testParallelSameKey},
		{"ParallelSessions", testParallelSessions},
		{"Model", testModel},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newFixture(t, open))
		})
	}
}
