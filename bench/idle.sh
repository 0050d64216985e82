#!/bin/bash
# idle.sh RESULTS.jsonl CONNECTIONS PEER...: memory of held connections, each peer started afresh.
set -euo pipefail
cd "$(dirname "$0")"
. peers/env.sh
out=$1 conns=$2; shift 2
echo -e "\n### memory of held connections\n| target | held | PSS KiB/connection | server CPU ms per s held |\n|---|---|---|---|"
for p; do
  for how in "plain" "tls" "preauth-plain" "preauth-tls"; do
    ./lab.sh down "$p"; ./lab.sh up "$p"
    flags=(-scenario idle -conns "$conns" -users 2000 -user u%d -srcs 16 -cgroup "$(cgroup_of "$p")")
    case $how in *tls) flags+=(-tls -addr "127.0.0.1:${TPORT[$p]}") ;; *) flags+=(-addr "127.0.0.1:${PORT[$p]}") ;; esac
    case $how in preauth*) flags+=(-preauth) ;; esac
    line=$("$BENCH_WORK/bin/popload" "${flags[@]}") || { echo "idle $p $how: $(jq -c .error_texts <<<"$line")" >&2; exit 1; }
    jq -c --arg t "$p" --arg s "idle-$how" '{target:$t,spec:$s,round:1}+.' <<<"$line" >>"$out"
    jq -r --arg n "$p $how" '"| \($n) | \(.idle.reached) | \(.idle.pss_kib_per_connection*10|round/10) | \(.idle.server_cpu_ms_per_s_held*100|round/100) |"' <<<"$line"
  done
done
