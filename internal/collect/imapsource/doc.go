// Package imapsource is the collector's source for IMAP servers: a collect.Source over internal/imapclient.
//
// A message's unique-id is "UIDVALIDITY.UID". A server that gives its folder a new UIDVALIDITY so gives all messages new
// unique-ids, and the collector knows them by their headers. The folder is opened read-only, and nothing in it is marked as
// seen; only to delete it is opened for writing, at the very end, when all that is to be deleted is known.
//
// The source can also wait for new mail (IDLE), see Source.Wait.
package imapsource
