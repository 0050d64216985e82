// Package architecture holds no code, only the tests that keep the house as ARCHITECTURE.md draws it: who may import
// whom, one package for each third-party module, a comment on every package, and an index of RFCs that tells the truth.
package architecture
