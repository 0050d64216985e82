// Package mailstore is the contract between whatever keeps mail and whatever delivers, serves or moves it. It knows no
// protocol: POP3, LMTP and the importers all stand on it. The store of Postamt is
// [github.com/postamt/postamt/internal/mailstore/sqlstore]; every store passes
// [github.com/postamt/postamt/internal/mailstore/storetest].
//
// What a store promises:
//   - Commit and Update return nil only when their effect survives a crash of process and machine.
//   - A message is there whole or not at all; a removal happens whole or not at all.
//   - A message never changes: octets, unique-id and facts are fixed at delivery, for life.
//   - An error leaves the store usable: when the disk has room again, the next call works.
package mailstore
