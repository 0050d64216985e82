#!/bin/bash
# The lab: lab.sh init | fill [SET...] | fill-PEER SET... | up PEER... | down PEER... | cold SET | status | clean
# init makes the work directory, certificates and passwords and builds the tools; fill makes the mail that the Maildir
# servers share, fill-PEER that of a peer with mail of its own; up and down start and stop peers
# (only what lab.sh itself started is ever stopped).
set -euo pipefail
. "$(dirname "$0")/peers/env.sh"
POINTER=${TMPDIR:-/tmp}/popbench.work

need() { [ -n "$BENCH_WORK" ] || { echo "run lab.sh init first" >&2; exit 1; }; }

init() {
  local w
  w=$(mktemp -d "${TMPDIR:-/tmp}/popbench.XXXXXX"); chmod 755 "$w"; echo "$w" >"$POINTER"
  mkdir -p "$w/bin" "$w/tls" "$w/mail"
  (cd "$BENCH" && go build -o "$w/bin/" ./popload ./popfill ./poplimits ./poptable ../cmd/postamt)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$w/tls/key.pem" -out "$w/tls/cert.pem" 2>/dev/null
  chmod 644 "$w/tls/"*.pem
  for s in "${!SETS[@]}"; do
    read -r users _ <<<"${SETS[$s]}"
    for ((i = 0; i < users; i++)); do echo "$s$i:{PLAIN}pass::::::"; done
  done >"$w/passwd"
  grep '^[bhkmtu]' "$w/passwd" >"$w/passwd-others" # some peers look through all of it at each sign-in
  chown -R $VUSER: "$w/mail"; chmod 644 "$w/passwd"*
  echo "$w"
}

fill() {
  need
  local s users msgs size
  for s in "${@:-${!SETS[@]}}"; do
    read -r users msgs size <<<"${SETS[$s]}"
    "$BENCH_WORK/bin/popfill" -root "$BENCH_WORK/mail" -user "$s%d" -users "$users" -messages "$msgs" -size "$size" \
      -names "$([ "$s" = p ] && echo plain || echo "${NAMES:-sw}")" -eol "${EOL:-lf}" -uid "$(id -u $VUSER)" -gid "$(id -g $VUSER)"
  done
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/${PORT[$1]}" && head -c 3 <&3 >/dev/null) 2>/dev/null; }

up() {
  need
  local n
  for n; do
    [ -e "$BENCH_WORK/$n.pid" ] && kill -0 "$(cat "$BENCH_WORK/$n.pid")" 2>/dev/null && continue
    if answers "$n"; then echo "port ${PORT[$n]} is taken by something else" >&2; return 1; fi
    mkdir -p "$BENCH_WORK/$n"
    setsid "$BENCH/peers/run.sh" "$n" >"$BENCH_WORK/$n/out" 2>&1 </dev/null &
    echo $! >"$BENCH_WORK/$n.pid"
    for _ in $(seq 600); do
      kill -0 "$(cat "$BENCH_WORK/$n.pid")" 2>/dev/null || break
      answers "$n" && continue 2
      sleep 0.1
    done
    echo "$n did not come up:" >&2; tail -5 "$BENCH_WORK/$n/out" >&2
    return 1
  done
}

down() {
  need
  local n cg p
  for n; do
    [ -e "$BENCH_WORK/$n.pid" ] || continue
    p=$(cat "$BENCH_WORK/$n.pid")
    cg=$(cgroup_of "$n")
    if [ -z "$cg" ] || grep -qx "$p" "$cg/cgroup.procs"; then kill "$p" 2>/dev/null || true; fi # else the number is another's by now
    for _ in $(seq 50); do
      if [ -n "$cg" ]; then [ -n "$(cat "$cg/cgroup.procs")" ] || break; else kill -0 "$p" 2>/dev/null || break; fi
      sleep 0.1
    done
    if [ -n "$cg" ]; then while read -r p; do kill -9 "$p" 2>/dev/null || true; done <"$cg/cgroup.procs"; fi
    rm -f "$BENCH_WORK/$n.pid"
  done
}

# cold SET: forgets what the servers keep about the mailboxes of a set (indexes, UID lists).
cold() {
  need
  local i users
  read -r users _ <<<"${SETS[$1]}"
  for ((i = 0; i < users; i++)); do
    rm -rf "$BENCH_WORK/mail/$1$i/Maildir"/{dovecot*,courier*,maildirfolder,subscriptions}
  done
}

clean() {
  need
  local f name
  name=$(basename "$BENCH_WORK")
  for f in "$BENCH_WORK"/*.pid; do [ ! -e "$f" ] || down "$(basename "$f" .pid)"; done
  rm -rf "$BENCH_WORK" "$POINTER"
  rmdir /sys/fs/cgroup/cpuacct/"$name"-* /sys/fs/cgroup/"$name"-* 2>/dev/null || true
}

case ${1:-} in
  init) init ;;
  fill) shift; fill "$@" ;;
  fill-*) need; peer=${1#fill-}; shift; "$BENCH/peers/$peer/fill" "$@" ;;
  up) shift; up "$@" ;;
  down) shift; down "$@" ;;
  cold) cold "$2" ;;
  status) need; for f in "$BENCH_WORK"/*.pid; do [ ! -e "$f" ] || echo "$(basename "$f" .pid) $(cat "$f")"; done ;;
  clean) clean ;;
  *) sed -n '2,5p' "$0"; exit 2 ;;
esac
