// Package collect is the collector: it brings mail home from other servers, exactly once.
//
// A run of one account goes: list the source; ask the journal what is new; stream each new message to all sinks; make
// the sinks durable; note that in the journal; mark it for deletion at the source, if the rules say so; end the session;
// note the confirmation. Killed at any point, the next run goes on with nothing lost and nothing delivered twice.
//
// Sources and sinks are two small interfaces; each kind is one file.
//
// # Guarantees
//
//   - A message is deleted at the source only after every sink has said that it is durable there and the journal has
//     that in writing. By rule (Rules.DeleteAbove, a filter that discards) messages are deleted unfetched.
//   - A sink that is Safe has each message once. One that is not may have the message twice that was in flight when the
//     process was killed.
//   - A message that was cut off, or came empty, is not delivered.
//   - A message goes to Account.Sinks or to Rules.Quarantine, not to both, whatever a scanner says at the next try.
//   - No listing, however short, makes the collector forget. Deletions that were not confirmed are asked for again.
//   - One message that cannot be fetched or delivered does not keep the others from coming.
//   - One run of an account at a time, by whatever process (Options.LockFolder).
//
// # Bounds
//
// Of a message 256 KiB of header and a buffer are in memory, of a mailbox its listing and what the journal knows of the
// account: some 600 octets per message. A run reports at most 100 warnings. A message that fails for good costs
// Rules.MaxAttempts downloads, then one in Rules.RetryAfter; while a sink or a scanner fails on everything, a run costs three.
//
// # Reading
//
// recognise.go finds what is known, plan.go decides, run.go and fetch.go do it, deliver.go knows the sinks, journal.go writes it down, identity.go says which
// messages are the same, schedule.go runs many accounts. docs/adr/0012-collector-journal.md says why.
package collect
