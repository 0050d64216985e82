#!/bin/bash
# idle.sh RESULTS.jsonl CONNECTIONS PEER...: memory of held connections, each peer started afresh. Cyrus has 200 accounts
# only, and locks a mailbox for a session: 200 connections.
set -uo pipefail
cd "$(dirname "$0")"
. peers/env.sh
out=$1 conns=$2; shift 2
bad=0
echo -e "\n### memory of held connections\n| target | held | PSS KiB/connection | server CPU ms per s held |\n|---|---|---|---|"
for p; do
  suffix= ramp=16 n=$conns
  case $p in
    mailutils) suffix=@bench ramp=4 ;; # it resets some of 16 connections that come at once
    cyrus) n=$((conns < 200 ? conns : 200)) ;;
  esac
  # Every user once before, so that no index is made while memory is measured.
  ./lab.sh up "$p" && timeout --foreground "${LIMIT:-90}" "$BENCH_WORK/bin/popload" -scenario login -addr "127.0.0.1:${PORT[$p]}" -user "u%d$suffix" \
    -users "$n" -conns 4 -ops "$n" -duration 60s >/dev/null || true
  for how in "plain" "tls" "preauth-plain" "preauth-tls"; do
    [[ $how != *tls ]] || [ "${TPORT[$p]}" != 0 ] || continue
    line= rc=0
    ./lab.sh down "$p"
    if ./lab.sh up "$p"; then
      # shellcheck disable=SC2046,SC2206
      flags=(-scenario idle -conns "$n" -users "$n" -user "u%d$suffix" -srcs 16 -ramp $ramp $(account_of "$p"))
      case $how in *tls) flags+=(-tls -addr "127.0.0.1:${TPORT[$p]}") ;; *) flags+=(-addr "127.0.0.1:${PORT[$p]}") ;; esac
      case $how in preauth*) flags+=(-preauth) ;; esac
      line=$(timeout --foreground -k 5 "${LIMIT:-90}" "$BENCH_WORK/bin/popload" "${flags[@]}") || rc=$?
    else
      rc=1
    fi
    jq -e . >/dev/null 2>&1 <<<"$line" || line=$(jq -nc --arg rc "$rc" '{errors: 1, error_texts: {"did not start, or no end in time (status \($rc))": 1}}')
    jq -c --arg t "$p" --arg s "idle-$how" '{target:$t,spec:$s,round:1}+.' <<<"$line" >>"$out"
    if [ $rc -ne 0 ]; then bad=1; echo "ERROR idle $p $how: $(jq -c .error_texts <<<"$line")" >&2; continue; fi
    jq -r --arg n "$p $how" '"| \($n) | \(.idle.reached) | \(.idle.pss_kib_per_connection*10|round/10) | \(.idle.server_cpu_ms_per_s_held*100|round/100) |"' <<<"$line"
  done
done
exit $bad
