#!/bin/bash
# accounts.sh: what a poll costs with 1,000, 10,000 and 100,000 accounts; prints Markdown, writes docs/images/accounts.svg.
# It needs Go and 2 GB of disk only.
set -euo pipefail
cd "$(dirname "$0")"
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
go build -o "$w/" ./accounts ../cmd/postamt
mkdir -p results "$w/data"
echo "Measured $(date +%F) on $(nproc) cores, $(uname -sr), $(go version | cut -d' ' -f3), Postamt $(git describe --always --dirty)"
echo
"$w/accounts" -postamt "$w/postamt" -dir "$w/data" -json results/accounts.json -svg ../docs/images/accounts.svg "$@"
