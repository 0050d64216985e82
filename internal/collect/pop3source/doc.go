// Package pop3source is the collector's source for POP3 servers: a collect.Source over pop3client.
//
// It tells the collector what a failure means: a certificate or a password that is wrong needs a person, a mailbox that
// is in use is waited for, and a refusal without a reason is not taken for a wrong password at once, because servers say
// the same when they are busy (RFC 3206). It works with servers that know neither CAPA nor UIDL nor TOP, and pipelines
// with those that announce PIPELINING.
package pop3source
