#!/bin/bash
# Installs what the lab needs from Debian. Nothing is started: a policy-rc.d that exits 101 is made where there is none.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
[ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; }
apt-get -o DPkg::Lock::Timeout=300 update -q >/dev/null
apt-get -o DPkg::Lock::Timeout=300 -y --no-install-recommends install dovecot-core dovecot-pop3d dovecot-lmtpd jq openssl >/dev/null
getent passwd vmailbench >/dev/null || useradd -r -M -d /nonexistent -s /usr/sbin/nologin vmailbench
echo "peers installed"
