// Package scan looks at messages on their way: with clamd for viruses, with rspamd for spam. A Policy says what follows
// from what they find; it is the collect.Scanner.
//
// Messages are streamed, never held in memory. Answers of scanners are bounded, and so is the time they may take.
package scan
