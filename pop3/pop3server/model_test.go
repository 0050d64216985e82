package pop3server_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
)

// A model is POP3 written down in the plainest way: the maildrop of one session.
type model struct {
	uids    []string
	bodies  []string // as they are sent, unstuffed
	deleted map[int]bool
}

func (m *model) left() (n, octets int) {
	for i, b := range m.bodies {
		if !m.deleted[i] {
			n++
			octets += len(b)
		}
	}
	return n, octets
}

// do returns the status line's beginning and the lines of a multi-line response, nil if there is none.
func (m *model) do(cmd string) (status string, lines []string) {
	f := strings.Fields(cmd)
	each := func(what func(i int) string) []string {
		all := []string{}
		for i := range m.bodies {
			if !m.deleted[i] {
				all = append(all, what(i))
			}
		}
		return all
	}
	scan := func(i int) string { return fmt.Sprint(i+1, " ", len(m.bodies[i])) }
	unique := func(i int) string { return fmt.Sprint(i+1, " ", m.uids[i]) }
	n, octets := m.left()
	i := -1
	if len(f) > 1 {
		num, err := strconv.Atoi(f[1])
		if i = num - 1; err != nil || i < 0 || i >= len(m.bodies) || m.deleted[i] {
			return "-ERR ", nil
		}
	}
	switch f[0] {
	case "STAT":
		return fmt.Sprint("+OK ", n, " ", octets), nil
	case "LIST":
		if i >= 0 {
			return "+OK " + scan(i), nil
		}
		return "+OK ", each(scan)
	case "UIDL":
		if i >= 0 {
			return "+OK " + unique(i), nil
		}
		return "+OK ", each(unique)
	case "RETR":
		return fmt.Sprint("+OK ", len(m.bodies[i])), split(m.bodies[i])
	case "TOP":
		k, _ := strconv.Atoi(f[2])
		all := split(m.bodies[i])
		if end := slices.Index(all, ""); end >= 0 {
			all = all[:min(len(all), end+1+k)]
		}
		return "+OK ", all
	case "DELE":
		m.deleted[i] = true
	case "RSET":
		clear(m.deleted)
	}
	return "+OK ", nil
}

// split takes a body with CRLF line ends apart; the result is never nil.
func split(body string) []string {
	if body == "" {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(body, "\r\n"), "\r\n")
}

// TestModel plays random sessions, over several of which mail is removed, against the model (S-066).
func TestModel(t *testing.T) {
	t.Parallel()
	line := rapid.StringOfN(rapid.RuneFrom([]rune("a. \x00é")), 0, 6, -1)
	message := rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for _, l := range rapid.SliceOfN(line, 0, 8).Draw(t, "lines") {
			b.WriteString(l + rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end"))
		}
		return b.String() + rapid.SampledFrom([]string{"", "", "tail", "."}).Draw(t, "tail")
	})
	num := rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6", "99"})
	command := rapid.Custom(func(t *rapid.T) string {
		verb := rapid.SampledFrom([]string{
			"STAT", "LIST", "LIST #", "UIDL", "UIDL #", "RETR #", "RETR #", "TOP # 0", "TOP # 1", "TOP # 3",
			"TOP # 100", "DELE #", "DELE #", "DELE #", "NOOP", "RSET",
		}).Draw(t, "command")
		return strings.ReplaceAll(verb, "#", num.Draw(t, "number"))
	})
	rapid.Check(t, func(rt *rapid.T) {
		mem := new(pop3mem.Backend)
		if err := mem.AddAccount(user, password); err != nil {
			rt.Fatal(err)
		}
		m := &model{deleted: make(map[int]bool)}
		for _, body := range rapid.SliceOfN(message, 0, 6).Draw(rt, "messages") {
			uid, err := mem.Deliver(user, []byte(body))
			if err != nil {
				rt.Fatal(err)
			}
			shown := strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\n", "\r\n")
			if shown != "" && !strings.HasSuffix(shown, "\n") {
				shown += "\r\n"
			}
			m.uids, m.bodies = append(m.uids, uid), append(m.bodies, shown)
		}
		srv := &testServer{pop3server.New(pop3server.Options{Backend: mem, Cleartext: pop3server.CleartextAlways}), mem}
		defer func() { _ = srv.Close() }()
		for range rapid.IntRange(1, 3).Draw(rt, "sessions") {
			p := srv.pipe(t).signedIn()
			for _, cmd := range rapid.SliceOfN(command, 0, 20).Draw(rt, "commands") {
				status, lines := m.do(cmd)
				p.cmd(cmd, status)
				if lines == nil {
					continue
				}
				if got := p.lines(); !slices.Equal(got, lines) {
					rt.Fatalf("%s: got %q, want %q", cmd, got, lines)
				}
			}
			if rapid.Bool().Draw(rt, "hang up") {
				_ = p.nc.Close()
				if err := srv.Wait(t.Context()); err != nil {
					rt.Fatal(err)
				}
			} else {
				p.quit()
				for i := len(m.uids) - 1; i >= 0; i-- {
					if m.deleted[i] {
						m.uids, m.bodies = slices.Delete(m.uids, i, i+1), slices.Delete(m.bodies, i, i+1)
					}
				}
			}
			clear(m.deleted)
			if got := mem.UIDs(user); !slices.Equal(got, m.uids) {
				rt.Fatalf("left %q, want %q", got, m.uids)
			}
		}
	})
}
