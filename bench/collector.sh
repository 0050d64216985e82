#!/bin/bash
# collector.sh: the collector beside fetchmail and mpop over 50 ms of added latency, then a message of 5 GB and a mailbox of
# 100,000 messages; prints Markdown. Debian, root; about 6 minutes (fetchmail waits for each reply) and 6 GB of disk.
set -euo pipefail
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive
[ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; }
for p in fetchmail mpop dovecot; do command -v $p >/dev/null || install=1; done
[ -z "${install:-}" ] || apt-get -o DPkg::Lock::Timeout=300 -y --no-install-recommends install dovecot-core dovecot-pop3d fetchmail mpop >/dev/null
w=$(mktemp -d); chmod 755 "$w"; trap 'rm -rf "$w"' EXIT
go build -o "$w/" ./collector ../cmd/postamt
echo "Measured $(date +%F) on $(nproc) cores, $(uname -sr), $(go version | cut -d' ' -f3), Postamt $(git describe --always --dirty)," \
  "Dovecot $(dovecot --version | cut -d' ' -f1), $(fetchmail --version 2>/dev/null | sed -n 's/.*\(fetchmail\) release \([0-9.]*\).*/\1 \2/p'), $(mpop --version | sed -n 's/version //;1p')"
echo
mkdir -p "$w/run"
"$w/collector" -postamt "$w/postamt" -dir "$w/run" "$@"
