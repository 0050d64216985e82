package testpeers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const poplibScript = `
import os, poplib, ssl, sys
wire, port, user, password, cert, remove, out = sys.argv[1:]
trust = ssl.create_default_context(cafile=cert)
if wire == "POP3S":
    p = poplib.POP3_SSL("localhost", int(port), context=trust)
else:
    p = poplib.POP3("localhost", int(port))
if wire == "STLS":
    p.stls(context=trust)
p.user(user)
p.pass_(password)
count, octets = p.stat()
listed = [int(line.split()[1]) for line in p.list()[1]]
assert len(listed) == count and sum(listed) == octets, (count, octets, listed)
assert len(set(line.split()[1] for line in p.uidl()[1])) == count
for num in range(1, count + 1):
    _, lines, _ = p.retr(num)
    message = b"".join(line + b"\r\n" for line in lines)
    assert len(message) == listed[num - 1], (num, len(message), listed[num - 1])
    with open(os.path.join(out, str(num)), "wb") as f:
        f.write(message)
    if remove == "true":
        p.dele(num)
p.quit()
`

func poplib(t *testing.T, j job) [][]byte {
	out := filepath.Join(j.dir, "mail")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	script := j.write(t, "fetch.py", poplibScript)
	j.run(t, "python3", script, string(j.wire), j.port(), j.user, j.password, j.d.Cert, fmt.Sprint(j.remove), out)
	return readFiles(t, out)
}
