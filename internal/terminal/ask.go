package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

var (
	// ErrNoTerminal says that there is nobody to ask.
	ErrNoTerminal = errors.New("there is no terminal to ask on")
	// ErrInterrupted says that the person pressed Ctrl-C or Ctrl-D.
	ErrInterrupted = errors.New("interrupted")
)

// MaxPassword is the longest password taken, in octets. The protocol's line limits are below it.
const MaxPassword = 1024

// Password asks for a password on the terminal of the process, whatever standard input is, without showing it.
// ErrNoTerminal and ErrInterrupted say why there is none.
func (t *Terminal) Password(prompt string) (string, error) {
	tty, err := t.ask()
	if err != nil {
		return "", ErrNoTerminal
	}
	defer tty.Close()
	return hidden(tty, prompt)
}

// NewPassword asks twice, until both are the same and not empty; three times at most.
func (t *Terminal) NewPassword(prompt string) (string, error) {
	tty, err := t.ask()
	if err != nil {
		return "", ErrNoTerminal
	}
	defer tty.Close()
	for range 3 {
		first, err := hidden(tty, prompt)
		if err != nil {
			return "", err
		}
		if first == "" {
			fmt.Fprintln(tty, "An empty password cannot be used.")
			continue
		}
		second, err := hidden(tty, "Once more: ")
		if err != nil {
			return "", err
		}
		if first == second {
			return first, nil
		}
		fmt.Fprintln(tty, "These are not the same.")
	}
	return "", errors.New("no password was entered")
}

// Confirm asks a question; only "y" and "yes" mean yes.
func (t *Terminal) Confirm(question string) (bool, error) {
	tty, err := t.ask()
	if err != nil {
		return false, ErrNoTerminal
	}
	defer tty.Close()
	fmt.Fprintf(tty, "%s [y/N] ", question)
	answer, err := readLine(tty, 100)
	if err != nil {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// PasswordFrom reads a password from a pipe (--password-stdin): one line, its end does not count.
func PasswordFrom(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxPassword+3))
	if err != nil {
		return "", fmt.Errorf("the password cannot be read: %w", err)
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case s == "":
		return "", errors.New("the password on standard input is empty")
	case len(s) > MaxPassword:
		return "", fmt.Errorf("the password on standard input is longer than %d octets", MaxPassword)
	case strings.Contains(s, "\x00"):
		return "", errors.New("the password on standard input has a NUL octet")
	case strings.ContainsAny(s, "\r\n"):
		return "", errors.New("the password on standard input has more than one line")
	}
	return s, nil
}

// hidden reads a line in raw mode: nothing is shown, and Ctrl-C comes as an octet, so that the terminal is always put
// back in order.
func hidden(tty *os.File, prompt string) (password string, err error) {
	fd := int(tty.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", ErrNoTerminal
	}
	defer func() {
		err = errors.Join(err, term.Restore(fd, before))
		fmt.Fprintln(tty)
	}()
	if _, err := io.WriteString(tty, prompt); err != nil {
		return "", err
	}
	return editLine(tty)
}

// editLine reads what is typed up to Return, and heeds Backspace and Ctrl-U. Arrows and function keys type nothing.
func editLine(r io.Reader) (string, error) {
	var line []byte
	escape := byte(0) // ESC after an escape, '[' inside of a key's sequence
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", ErrInterrupted
		}
		c := b[0]
		switch {
		case escape == 0x1b && (c == '[' || c == 'O'):
			escape = '['
			continue
		case escape == '[' && c >= ' ' && c != 0x7f:
			if c >= '@' { // the last of the sequence
				escape = 0
			}
			continue
		}
		escape = 0
		switch c {
		case '\r', '\n':
			if !utf8.Valid(line) {
				return "", errors.New("the password is not in UTF-8: set the terminal to UTF-8")
			}
			return string(line), nil
		case 0x03, 0x04: // Ctrl-C, Ctrl-D
			return "", ErrInterrupted
		case 0x15: // Ctrl-U
			line = line[:0]
		case 0x08, 0x7f: // Backspace
			_, n := utf8.DecodeLastRune(line)
			line = line[:len(line)-n]
		case 0x1b:
			escape = c
		default:
			if c < ' ' {
				continue
			}
			if line = append(line, c); len(line) > MaxPassword {
				return "", fmt.Errorf("the password is longer than %d octets", MaxPassword)
			}
		}
	}
}

// readLine reads a line of at most so many octets from a terminal that does the editing.
func readLine(r io.Reader, most int) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < most; {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", ErrInterrupted
		}
		if b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	return string(line), nil
}
