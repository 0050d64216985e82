// Package packaging holds no code, only what a distribution installs beside the program (systemd units, a sample
// configuration), and the tests that keep it good.
package packaging
