package delay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// What is written arrives whole and in order, each part so long after it was written, and then the end.
func TestCarry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const d = 25 * time.Millisecond
		near, in := net.Pipe()
		out, far := net.Pipe()
		go carry(out, in, d)
		begun := time.Now()
		go func() {
			for i := range 3 {
				fmt.Fprintf(near, "line %d\n", i)
				time.Sleep(10 * time.Millisecond)
			}
			near.Close()
		}()
		r := bufio.NewReader(far)
		for i := range 3 {
			line, err := r.ReadString('\n')
			if want := fmt.Sprintf("line %d\n", i); err != nil || line != want {
				t.Fatalf("%q, %v, want %q", line, err, want)
			}
			if got, want := time.Since(begun), d+time.Duration(i)*10*time.Millisecond; got != want {
				t.Errorf("line %d came after %v, want %v", i, got, want)
			}
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	})
}

// A proxy hands octets through both ways, and Close ends what is open.
func TestProxy(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		c, err := server.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	p, err := Start(server.Addr().String(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "there and back\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "there and back\n" {
		t.Errorf("%q, %v", line, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}
