#!/bin/bash
# run.sh [quick] [LINE...]: measures Postamt beside its peers in one run, on the same messages: all lines of the table, or
# those named. It needs Debian, root, Go and 12 GB below ${TMPDIR:-/tmp}, installs the peers, and takes about half an hour;
# "quick" is one short round of all lines but the slow one (check-1m). The JSON lines of every single run, the
# table as JSON and as Markdown go to bench/results/DATE.{jsonl,json,md}, the Markdown also to standard output. What does
# not start, does not end in time or answers wrongly fails in its cells only. Everything started is stopped and removed.
#
# Lines: login login-tls check-100 check-10k check-100k cold-100k drain-mix drain-mix-pipelined drain-mix-tls drain-tiny
# drain-tiny-pipelined drain-big drain-big-tls idle deliver deliver-32 delete held check-1m
set -uo pipefail
cd "$(dirname "$0")" || exit 1
{ # read as a whole before it runs: half an hour is time enough for somebody to edit it

everybody="dovecot-tuned dovecot-shared courier cyrus mailutils popa3d postamt"
# of each line: the sets of mail, and who is asked. At 10,000 messages Mailutils takes ten seconds a session, and popa3d
# keeps nothing that could be cold.
declare -A LINE_SETS=([login]=u [login-tls]=u [check-100]=h [check-10k]=k [check-100k]=m [cold-100k]="m u" [drain-mix]=mix
  [drain-mix-pipelined]=mix [drain-mix-tls]=mix [drain-tiny]=tiny [drain-tiny-pipelined]=tiny [drain-big]=big
  [drain-big-tls]=big [idle]=u [deliver]=d [deliver-32]=d [delete]=x [held]="u i" [check-1m]=q)
declare -A LINE_PEERS=([check-10k]="dovecot-tuned dovecot-shared courier cyrus popa3d postamt"
  [check-100k]="dovecot-tuned dovecot-shared courier cyrus popa3d postamt"
  [cold-100k]="dovecot-tuned dovecot-shared courier cyrus postamt" [idle]="dovecot-shared courier cyrus mailutils popa3d postamt"
  [deliver]="dovecot-lmtp postamt" [deliver-32]="dovecot-lmtp postamt" [delete]="dovecot-lmtp dovecot-always postamt" [held]="dovecot-shared postamt" [check-1m]=postamt)
order="login login-tls check-100 check-10k check-100k cold-100k drain-mix drain-mix-pipelined drain-mix-tls drain-tiny
  drain-tiny-pipelined drain-big drain-big-tls idle deliver deliver-32 delete held check-1m"

duration=2s rounds=3 lines=$order
if [ "${1:-}" = quick ]; then shift; duration=1s rounds=1 lines=${order% check-1m}; fi
for l; do [ -n "${LINE_SETS[$l]:-}" ] || { sed -n '2,9p' "${0##*/}"; exit 2; }; done
[ $# -eq 0 ] || lines=$*
[ "$(id -u)" = 0 ] || { echo "run.sh: it has to start servers and control groups: run it as root" >&2; exit 2; }
tmp=${TMPDIR:-/tmp}
[ ! -d "$(cat "$tmp/popbench.work" 2>/dev/null)" ] || { echo "run.sh: there is a lab already: bench/lab.sh clean removes it" >&2; exit 2; }
[ "$(df -Pm "$tmp" | awk 'NR == 2 { print $4 }')" -gt 12000 ] || { echo "run.sh: less than 12 GB are free below $tmp: set TMPDIR" >&2; exit 2; }
ulimit -Hn 20000 2>/dev/null || true # 10,000 connections of a client; root may raise it

say() { echo "$(date +%H:%M:%S) $*" >&2; }

# step SECONDS COMMAND...: bounded, and ended by what ends this script. Its output is progress.
step() {
  timeout -k 20 "$@" >&2 &
  child=$!
  wait "$child"; local rc=$?
  child=
  [ $rc -ne 124 ] || echo "run.sh: no end after $1 s: ${*:2}" >&2
  return $rc
}

cleanup() {
  local rc=$?
  trap '' INT TERM HUP
  if [ -n "$child" ]; then kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; fi
  ./lab.sh clean || true
  if [ -z "$complete" ]; then
    if [ -s "$out.jsonl" ]; then say "not complete; what was measured is in bench/$out.jsonl"; else rm -f "$out.jsonl"; fi
  fi
  exit $rc
}

child= complete= out=results/$(date +%Y-%m-%d-%H%M)
mkdir -p results
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# spoiled PEER REASON: whom nobody asks any more, and why
declare -A spoiled=()
spoil() { spoiled[$1]=$2; say "$1 $2: it has no figures in this run"; }

has() { [[ " $1 " = *" $2 "* ]]; }

# uses PEER: the sets that it needs for the lines of this run
uses() {
  local l s sets=
  for l in $lines; do
    has "${LINE_PEERS[$l]:-$everybody}" "$1" || continue
    for s in ${LINE_SETS[$l]}; do has "$sets" "$s" || sets+="$s "; done
  done
  echo "$sets"
}

version() { cat "/opt/popbench/$1/version" 2>/dev/null || dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo "(none)"; }

peers=
for p in $everybody dovecot-lmtp dovecot-always; do [ -z "$(uses "$p")" ] || peers+="$p "; done
say "installing: $peers"
step 900 peers/install.sh $peers || say "not all peers could be installed"
say "building"
step 600 ./lab.sh init || exit 1
. peers/env.sh

jq -nc --arg date "$(date +%F)" --arg rounds "$rounds" --arg duration "$duration" \
  --arg machine "$(nproc) cores ($(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)), $(. /etc/os-release; echo "$PRETTY_NAME"), Linux $(uname -r | cut -d- -f1), load average $(cut -d' ' -f1 /proc/loadavg) at the start" \
  --arg versions "Postamt $(git describe --always --dirty 2>/dev/null || "$BENCH_WORK/bin/postamt" version | head -1 | cut -d" " -f2- | cut -d, -f1), $(go version | cut -d' ' -f3), Dovecot $(version dovecot-core), Courier $(version courier-pop), Cyrus $(version cyrus-pop3d), Mailutils $(version mailutils-pop3d), popa3d $(version popa3d)" \
  '{meta: {date: $date, machine: $machine, versions: $versions, rounds: $rounds, duration: $duration}}' >"$out.jsonl"

# The Maildirs that are shared first; then who has mail of its own. The million comes when all else is measured.
sets=
for p in $peers; do for s in $(uses "$p"); do has "$sets d q" "$s" || sets+="$s "; done; done
say "mail: $sets"
[ -z "$sets" ] || step 300 ./lab.sh fill $sets || exit 1
for p in $peers; do
  mine=$(uses "$p"); mine=${mine/q /}
  say "$p: starting, filling"
  if ! step 120 ./lab.sh up "$p"; then spoil "$p" "did not start"; continue; fi
  [ -e "peers/$p/fill" ] || continue
  for s in $mine; do
    step 600 ./lab.sh "fill-$p" "$s" || { spoil "$p" "could not be filled"; break; }
  done
done

measure() { # LINE
  local l=$1 p targets= r=$rounds limit=60 base=dovecot-tuned
  for p in ${LINE_PEERS[$l]:-$everybody}; do
    if [ -z "${spoiled[$p]:-}" ]; then targets+="$p "; continue; fi
    for s in $([ "$l" = idle ] && echo idle-plain idle-tls idle-preauth-plain idle-preauth-tls || echo "$l"); do
      jq -nc --arg t "$p" --arg s "$s" --arg why "${spoiled[$p]}" '{target: $t, spec: $s, round: 0, errors: 1, error_texts: {($why): 1}}' >>"$out.jsonl"
    done
  done
  case $l in
    idle) step 1200 env LIMIT=60 ./idle.sh "$out.jsonl" 1000 $targets; return ;;
    held) limit=240 ;;
    check-1m)
      say "a million deliveries; this takes some minutes"
      [ -z "$targets" ] || step 900 ./lab.sh fill-postamt q || { spoil postamt "could not be filled with a million messages"; targets=; measure "$l"; return; }
      ;;
  esac
  [[ $targets != *dovecot-lmtp* ]] || base=dovecot-lmtp
  [ -z "$targets" ] || step $((r * 7 * (limit + 10))) ./compare.sh -o "$out.jsonl" -r "$r" -d "$duration" -l "$limit" -b "$base" -t "$(echo $targets | tr ' ' ,)" "$l"
}

bad=0 n=0
for l in $lines; do
  n=$((n + 1))
  say "$n of $(echo $lines | wc -w): $l"
  measure "$l" || bad=1 # a wrong reply spoils a cell, but the rest of the table is measured all the same
done
"$BENCH_WORK/bin/poptable" "$out.jsonl" || exit 1
complete=yes
say "done in $((SECONDS / 60)) minutes: bench/$out.md, .json and .jsonl"
exit $bad
}
