// Package sinktest has the suites that every sink of the collector passes: [Run] for what a sink promises in one process,
// and [Crash], for safe ones, with processes that are killed or whose disk fails at each system call. [Gmail] is a double
// of the Gmail API. It is test code.
package sinktest
