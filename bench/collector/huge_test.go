package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/bench/internal/strictpop3"
)

// TestFake has a whole session with the server that makes its messages up, and its messages compared.
func TestFake(t *testing.T) {
	t.Parallel()
	s, err := startFake(3, 200_000)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	nc, err := net.Dial("tcp", s.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := strictpop3.New(nc, nil)
	if _, err := c.OK(); err != nil {
		t.Fatal(err)
	}
	rest, err := c.Cmd("STAT")
	if count, octets, e := strictpop3.Stat(rest); err != nil || e != nil || count != 3 || octets != 3*s.size {
		t.Errorf("STAT: %q, %v", rest, err)
	}
	for _, cmd := range []string{"LIST", "UIDL"} {
		var content []byte
		_, err := c.Cmd(cmd)
		if err == nil {
			_, err = c.Multi(func(b []byte) { content = append(content, b...) })
		}
		lines := 0
		if e := strictpop3.EachNumbered(content, func(int, []byte) error { lines++; return nil }); err != nil || e != nil || lines != 3 {
			t.Errorf("%s: %q, %v, %v", cmd, content, err, e)
		}
	}
	if _, err := c.Cmd("RETR 4"); err == nil {
		t.Error("there is a fourth message")
	}
	var msg bytes.Buffer
	_, err = c.Cmd("RETR 1")
	if err == nil {
		_, err = c.Multi(func(b []byte) { msg.Write(b) })
	}
	if err != nil || int64(msg.Len()) != s.size {
		t.Fatalf("%d octets, %v, want %d", msg.Len(), err, s.size)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	if s.retrieved() != 1 {
		t.Errorf("%d retrieved", s.retrieved())
	}
	whole := msg.String()
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"as sent":         {whole, true},
		"with LF":         {strings.ReplaceAll(whole, "\r\n", "\n"), true},
		"an octet less":   {whole[:len(whole)-1], false},
		"a line more":     {whole + "x\r\n", false},
		"another octet":   {whole[:5000] + "#" + whole[5001:], false},
		"another subject": {strings.Replace(whole, "huge", "HUGE", 1), false},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "m"), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.compare(folder); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.compare(t.TempDir()); err == nil {
		t.Error("no message is right")
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	var costs []cost
	for _, ms := range []int{30, 10, 20} {
		costs = append(costs, cost{wall: time.Duration(ms) * time.Millisecond, rss: int64(ms)})
	}
	if m := median(costs); m.rss != 20 {
		t.Errorf("%+v", m)
	}
}
