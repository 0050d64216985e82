// Package collect is the collector: it brings mail home from other servers, exactly once.
//
// A run of one account goes: list the source; ask the journal what is new; stream each new message to all sinks; make
// the sinks durable; note that in the journal; mark it for deletion at the source, if the rules say so; end the session;
// note the confirmation. Killed at any point, the next run goes on with nothing lost and nothing delivered twice.
//
// Sources and sinks are two small interfaces; each kind is one file.
package collect
