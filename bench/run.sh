#!/bin/bash
# run.sh [quick]: measures Postamt and Dovecot side by side in one run, on the same messages, and prints Markdown; the
# JSON lines of every single run go to bench/results/. Debian, root. About 15 minutes; "quick" about 5.
set -euo pipefail
cd "$(dirname "$0")"
duration=3s rounds=3; [ "${1:-}" != quick ] || { duration=2s; rounds=1; }
peers/install.sh >&2
./lab.sh init >&2
. peers/env.sh
trap './lab.sh clean' EXIT
for s in u h k mix tiny big d; do ./lab.sh fill $s; ./lab.sh fill-postamt $s; done >&2
mkdir -p results
out=results/$(date +%Y%m%d-%H%M%S).jsonl
targets=dovecot-tuned,dovecot-shared,postamt
./lab.sh up postamt dovecot-tuned dovecot-shared dovecot-lmtp >&2
echo "Measured $(date +%F) on $(nproc) cores, $(uname -sr), $(go version | cut -d' ' -f3), Postamt $(git describe --always --dirty), Dovecot $(dovecot --version | cut -d' ' -f1)"
bad=0 # a wrong reply spoils the run, but the rest of the table is measured all the same
./compare.sh -o "$out" -r $rounds -d $duration -t $targets login login-tls check-100 check-10k drain-mix drain-mix-tls \
  drain-tiny drain-tiny-pipelined drain-big drain-big-tls top-tiny || bad=1
./compare.sh -o "$out" -r $rounds -d $duration -b dovecot-lmtp -t dovecot-lmtp,postamt deliver || bad=1
./idle.sh "$out" 1000 postamt dovecot-shared || bad=1
echo "JSON: bench/$out" >&2
exit $bad
