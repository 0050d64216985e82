#!/bin/bash
# smoke.sh: every scenario for a moment against Postamt alone, with every body checked. It needs Go only, measures
# nothing worth quoting, and fails on any wrong reply.
set -euo pipefail
cd "$(dirname "$0")"
w=$(mktemp -d); trap 'kill $pid 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$w"' EXIT; pid=
go build -o "$w/" ./popload ./popfill ../cmd/postamt
"$w/popfill" -root "$w/mail" -user 's%d' -users 4 -messages 30 >/dev/null
cat >"$w/postamt.toml" <<TOML
data = "$w/data"
hostname = "localhost"
[pop3]
listen = ["127.0.0.1:31110"]
listen_tls = ["127.0.0.1:31115"]
[lmtp]
listen = ["127.0.0.1:31116"]
[limits]
connections_per_address = 1000
TOML
for i in 0 1 2 3; do
  echo pass | "$w/postamt" account add --config "$w/postamt.toml" --password-stdin s$i >/dev/null
  echo pass | "$w/postamt" account add --config "$w/postamt.toml" --password-stdin d$i >/dev/null
  "$w/postamt" import --config "$w/postamt.toml" maildir "$w/mail/s$i/Maildir" s$i >/dev/null
done
"$w/postamt" serve --config "$w/postamt.toml" 2>"$w/log" & pid=$!
for _ in $(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/31110) 2>/dev/null && break; sleep 0.1; done
load() {
  echo "+ popload $*"
  "$w/popload" -pids $pid -users 4 -conns 2 -duration 1s "$@" >"$w/result" || { cat "$w/result"; tail -20 "$w/log"; exit 1; }
}
pop3="-addr 127.0.0.1:31110 -user s%d" pop3s="-addr 127.0.0.1:31115 -tls -user s%d"
load -scenario deliver -addr 127.0.0.1:31116 -user d%d
for s in login check drain drain-pipelined top; do
  load -scenario $s $pop3 -expect 30 -verify
  load -scenario $s $pop3s -expect 30 -verify
  load -scenario $s $pop3 -stls -expect 30 -verify
done
load -scenario check -pipeline $pop3 -expect 30 -verify -warm
load -scenario idle -conns 50 -hold 200ms $pop3 -preauth
load -scenario held -scram -conns 4 -duration 300ms $pop3 -user d%d -busy 2 -busy-user s%d -verify -warm
load -scenario tls-handshake -addr 127.0.0.1:31115
load -scenario delete $pop3 -expect 30
load -scenario check $pop3 -expect 0 # and they stay deleted
kill -TERM $pid; wait $pid
go run ./soak -postamt "$w/postamt" -dir "$(mktemp -d -p "$w")" -duration 5s -every 1s -accounts 10 -idle 20 -port 31120
go run ./accounts -postamt "$w/postamt" -dir "$(mktemp -d -p "$w")" -sizes 60 -polls 100 -port 31125
go run ./collector -postamt "$w/postamt" -dir "$(mktemp -d -p "$w")" -messages 0 -giant 20000000 -listed 5000
echo "bench smoke: every reply was right"
