// Package terminal is how the program talks with a person: progress of long work, tables, questions.
//
// On a terminal there are a moving bar and colors; elsewhere plain lines now and then. NO_COLOR and TERM=dumb are heeded.
// What comes from outside (subjects of messages, names of files) is shown without control characters, so that it cannot
// take over the terminal.
package terminal
