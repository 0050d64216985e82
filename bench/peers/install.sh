#!/bin/bash
# install.sh [PEER...]: installs from Debian what the lab needs for these peers (default: all). Nothing is started: a
# policy-rc.d that exits 101 is made where there is none. The packages of POP3 servers exclude one another, so only
# Dovecot's are installed; those of the others are unpacked into /opt/popbench (Courier's and Cyrus' programs also into
# /usr), and the packages that they stand on are installed. A peer that cannot be had is named, and the exit status is 1; the others are there.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends)
[ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; }
log=$(mktemp); work=$(mktemp -d); chmod 755 "$work"; trap 'rm -rf "$log" "$work"' EXIT
bad=0

get() { "${apt[@]}" install "$@" >>"$log" 2>&1; }

# unpack PACKAGE...: into /opt/popbench/PACKAGE.
unpack() {
  local p
  for p; do
    (cd "$work" && "${apt[@]}" download "$p" && mkdir -p "/opt/popbench/$p" && dpkg-deb -x "$p"_*.deb "/opt/popbench/$p" && dpkg-deb -f "$p"_*.deb Version >"/opt/popbench/$p/version") >>"$log" 2>&1 || return 1
  done
}

# overlay PACKAGE...: for programs whose paths are fixed; not /etc, no start scripts, no documents.
overlay() {
  local p t
  unpack "$@" || return 1
  for p; do
    for t in usr/sbin usr/bin usr/lib usr/libexec; do
      [ ! -d "/opt/popbench/$p/$t" ] || cp -a --no-clobber "/opt/popbench/$p/$t/." "/$t/" || return 1
    done
  done
}

# needs PACKAGE...: installs the libraries that these packages stand on.
needs() {
  local d
  mapfile -t d < <(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
    sed -n 's/^ *\(Pre\)\?Depends: \(lib[a-z0-9].*\)/\2/p' | sort -u)
  get "${d[@]}"
}

peer() {
  case $1 in
    postamt) ;;
    dovecot*) get dovecot-core dovecot-pop3d dovecot-lmtpd ;;
    courier) get courier-base courier-authdaemon courier-authlib-userdb && needs courier-pop && overlay courier-pop ;;
    cyrus) get cyrus-common sasl2-bin libsasl2-modules && needs cyrus-pop3d cyrus-imapd && overlay cyrus-pop3d cyrus-imapd ;;
    mailutils) get mailutils-common && needs mailutils-pop3d && unpack mailutils-pop3d ;;
    popa3d) get courier-base && needs popa3d && unpack popa3d && mkdir -p /var/lib/popa3d ;; # couriertcpd is its inetd
    *) echo "install.sh: no such peer: $1" >&2; return 1 ;;
  esac
}

[ $# -gt 0 ] || set -- dovecot courier cyrus mailutils popa3d
"${apt[@]}" update >>"$log" 2>&1
get jq openssl sqlite3 || { echo "install.sh: cannot install jq, openssl and sqlite3:" >&2; tail -5 "$log" >&2; exit 2; }
getent passwd vmailbench >/dev/null || useradd -r -M -d /nonexistent -s /usr/sbin/nologin vmailbench
for p; do
  peer "$p" || { bad=1; echo "install.sh: $p cannot be installed:" >&2; tail -5 "$log" >&2; }
done
[ $bad -ne 0 ] || echo "peers installed"
exit $bad
