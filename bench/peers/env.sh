# Sourced by the scripts of the lab: where things are, ports, and helper functions.
# BENCH_WORK is the work directory (mail, certificates, rendered configs); lab.sh makes one.
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${BENCH_WORK:=$(cat "${TMPDIR:-/tmp}/popbench.work" 2>/dev/null || true)}"
[ -d "${BENCH_WORK:-/nonexistent}" ] || BENCH_WORK=
export BENCH_WORK
VUSER=vmailbench
# name: plain port, TLS port, LMTP port
declare -A PORT=([postamt]=31000 [dovecot-default]=31010 [dovecot-tuned]=31020 [dovecot-shared]=31030 [dovecot-lmtp]=31040)
declare -A TPORT=([postamt]=31005 [dovecot-default]=31015 [dovecot-tuned]=31025 [dovecot-shared]=31035 [dovecot-lmtp]=31045)
declare -A LPORT=([postamt]=31006 [dovecot-lmtp]=31046)

# cgroup_of NAME prints the directory of the peer's control group (made if need be), or nothing.
cgroup_of() {
  local d
  for d in /sys/fs/cgroup/cpuacct /sys/fs/cgroup; do
    [ -e $d/cgroup.procs ] || continue
    mkdir -p "$d/popbench-$1" 2>/dev/null && { echo "$d/popbench-$1"; return; }
  done
}
