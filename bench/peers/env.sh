# Sourced by the scripts of the lab: where things are, ports, the sets of mail, and helper functions.
# BENCH_WORK is the work directory (mail, certificates, rendered configs); lab.sh makes one.
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${BENCH_WORK:=$(cat "${TMPDIR:-/tmp}/popbench.work" 2>/dev/null || true)}"
[ -d "${BENCH_WORK:-/nonexistent}" ] || BENCH_WORK=
export BENCH_WORK
VUSER=vmailbench
# name: plain port, TLS port (0: none), LMTP port
declare -A PORT=([postamt]=31000 [dovecot-default]=31010 [dovecot-tuned]=31020 [dovecot-shared]=31030 [dovecot-lmtp]=31040
  [dovecot-always]=31050 [courier]=31060 [cyrus]=31070 [mailutils]=31080 [popa3d]=31090)
declare -A TPORT=([postamt]=31005 [dovecot-default]=31015 [dovecot-tuned]=31025 [dovecot-shared]=31035 [dovecot-lmtp]=31045
  [dovecot-always]=31055 [courier]=31065 [cyrus]=31075 [mailutils]=31085 [popa3d]=0)
declare -A LPORT=([postamt]=31006 [dovecot-lmtp]=31046 [dovecot-always]=31056)
declare -A FSYNC=([dovecot-lmtp]=optimized [dovecot-always]=always)

# sets: prefix, users, messages, octets (0: the mix). p is as k with names that tell no sizes; d is where deliveries go;
# i is who only signs in; x is to be deleted; q is filled by deliveries.
declare -A SETS=([u]="1000 5 2000" [mix]="20 100 0" [tiny]="20 1000 2000" [big]="4 1 25000000"
  [h]="20 100 2000" [k]="4 10000 2000" [m]="1 100000 2000" [p]="2 10000 2000" [d]="200 0 0"
  [i]="10000 0 0" [x]="3 10000 2000" [q]="1 1000000 700")

# cgroup_of NAME prints the directory of the peer's control group (made if need be), or nothing. It belongs to this lab.
cgroup_of() {
  local d
  for d in /sys/fs/cgroup/cpuacct /sys/fs/cgroup; do
    [ -e $d/cgroup.procs ] || continue
    mkdir -p "$d/$(basename "$BENCH_WORK")-$1" 2>/dev/null && { echo "$d/$(basename "$BENCH_WORK")-$1"; return; }
  done
}

# account_of NAME prints popload's flag for the peer's CPU time and memory: its control group, or else its processes.
account_of() {
  local cg
  cg=$(cgroup_of "$1")
  if [ -n "$cg" ]; then echo "-cgroup $cg"; else echo "-pids $(cat "$BENCH_WORK/$1.pid")"; fi
}
