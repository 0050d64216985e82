#!/bin/bash
# render.sh NAME: writes peers/NAME/*.in with its @MARKS@ filled in to $BENCH_WORK/NAME/.
set -euo pipefail
. "$(dirname "$0")/env.sh"
n=$1 d=$BENCH_WORK/$1
rm -rf "$d/run"; mkdir -p "$d/run" "$d/state"
for f in "$BENCH/peers/$n"/*.in; do
  sed -e "s#@WORK@#$BENCH_WORK#g; s#@DIR@#$d#g; s#@PORT@#${PORT[$n]}#g; s#@TPORT@#${TPORT[$n]}#g; s#@LPORT@#${LPORT[$n]:-0}#g; s#@VUSER@#$VUSER#g" \
      -e "s#@FSYNC@#${FSYNC[$n]:-}#g; s#@IMAPPORT@#$((PORT[$n] + 1))#g; s#@UID@#$(id -u $VUSER)#g; s#@GID@#$(id -g $VUSER)#g;" "$f" >"$d/$(basename "$f" .in)"
done
