// Package sysfault is for tests: it runs a program and kills it at the n-th of its system calls that change files, or lets
// that call fail with an errno, or kills it with half of a write done. It counts over all threads of the program, so a test
// can count in a dry run and then break every call in turn; strace, which counts for each thread by itself, cannot do that
// to a Go program. It also knows which files and folders were written to and not synced when the program says that
// something is durable.
//
// It traces the program with ptrace(2), on Linux and amd64; see [Supported].
package sysfault
