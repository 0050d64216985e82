package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `{"meta":{"date":"2026-11-22","machine":"2 cores","versions":"Postamt 1, Dovecot 2","rounds":"3","duration":"3s"}}
{"target":"dovecot-tuned","spec":"login","round":1,"server_cpu_ms_per_op":0.9}
{"target":"dovecot-shared","spec":"login","round":1,"server_cpu_ms_per_op":0.7}
{"target":"cyrus","spec":"login","round":1,"server_cpu_ms_per_op":2.1}
{"target":"popa3d","spec":"login","round":1,"server_cpu_ms_per_op":1.1,"errors":1,"error_texts":{"PASS: expected +OK, got \"-ERR|\"":1}}
{"target":"postamt","spec":"login","round":1,"server_cpu_ms_per_op":0.5}
{"target":"postamt","spec":"login","round":2,"server_cpu_ms_per_op":0.125}
{"target":"postamt","spec":"login","round":3,"server_cpu_ms_per_op":0.11}
{"target":"postamt","spec":"login-cold","round":1,"server_cpu_ms_per_op":21}
{"target":"postamt","spec":"login-warm","round":1,"server_cpu_ms_per_op":1}
{"target":"postamt","spec":"cold-100k","round":1,"server_cpu_ms_per_op":63}
{"target":"dovecot-tuned","spec":"cold-100k","round":1,"server_cpu_ms_per_op":438}
{"target":"courier","spec":"cold-100k","round":1,"errors":1,"error_texts":{"no end after 90 s":1}}
{"target":"postamt","spec":"check-1m","round":1,"errors":1,"error_texts":{"no end after 90 s":1}}
{"target":"postamt","spec":"held","round":1,"held":{"alone_p99_ms":10,"among_p99_ms":12.5,"pss_kib_per_connection":10.06}}
{"target":"dovecot-lmtp","spec":"deliver","round":1,"ops_per_s":700,"server_cpu_ms_per_op":1.6}
{"target":"postamt","spec":"deliver","round":1,"ops_per_s":1770,"server_cpu_ms_per_op":1}
{"target":"dovecot-always","spec":"delete","round":1,"delete":{"quit_ms":900,"quit_server_cpu_ms":80}}
{"target":"dovecot-lmtp","spec":"delete","round":1,"delete":{"quit_ms":600,"quit_server_cpu_ms":90}}
{"target":"postamt","spec":"delete","round":1,"delete":{"quit_ms":30,"quit_server_cpu_ms":8}}
`

const table = `Measured 2026-11-22 on 2 cores. Postamt 1, Dovecot 2. Rounds: 3 of 3s each, medians.

| line | unit | best Dovecot | best other | Postamt | target | reached |
| --- | --- | --- | --- | --- | --- | --- |
| login, plain | CPU ms | 0.7 (shared) | 2.1 (cyrus) | 0.125 | <= 0.15 | yes |
| first login of an account (cold argon2id) | CPU ms | - | - | 21 | - | - |
| first open of 100,000 (cold caches of the server) | CPU ms | 438 (tuned) | failed | 43 | <= 40 | no |
| poll, 1,000,000 messages, warm | CPU ms | - | - | failed | <= 150 | failed |
| 10,000 sessions held: p99 of 50 busy ones, to that of the 50 alone | times | - | - | 1.25 | <= 2 | yes |
| memory of each of them | PSS KiB | - | - | 10.1 | - | - |
| delivery over LMTP, durable, 8 at a time, 20 KB | messages/s | 700 (lmtp) | - | 1770 | >= 2 x Dovecot | yes (2.53 x) |
| the same | CPU ms each | 1.6 (lmtp) | - | 1 | >= 2 x Dovecot | no (1.6 x) |
| QUIT with 10,000 deletions, durable | wall ms | 600 (lmtp) | - | 30 | >= 5 x Dovecot | yes (20 x) |
| the same | CPU ms | 80 (always) | - | 8 | >= 5 x Dovecot | yes (10 x) |

Failed:

` + "- login, popa3d: `PASS: expected +OK, got \"-ERR/\"`\n" +
	"- cold-100k, courier: `no end after 90 s`\n" +
	"- check-1m, postamt: `no end after 90 s`\n"

func TestTable(t *testing.T) {
	t.Parallel()
	res, err := read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table, summarize(res).markdown()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0.15: "0.15", 0.1239: "0.124", 2: "2", 7.6: "7.6", 17.84: "17.8", 150: "150", 1770.4: "1770"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestReadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{", `{"target":"postamt"}`, `{"spec":"login"}`} {
		if _, err := read(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
