// Package storetest is the suite that every [mailstore.Store] passes. [Run] takes each promise of the contract in turn,
// compares the store with a plain model over random sequences of calls, and lets many goroutines work at once. [Faults]
// fails or stops the disk at every operation on bodies. [Crash] runs the store in processes of their own and fails or
// kills them at every system call of a delivery and of an update, which covers the database too.
//
// # How to use it
//
//	func TestStore(t *testing.T) { storetest.Run(t, open) }
//	func TestFaults(t *testing.T) { storetest.Faults(t, open) }
//	func TestCrash(t *testing.T) { storetest.Crash(t, open) }
//	func TestMain(m *testing.M) {
//		storetest.Child(open)
//		os.Exit(m.Run())
//	}
//
// [Child] is where a process of Crash does its work; in others it does nothing.
package storetest
