#!/bin/bash
# soak.sh [MINUTES]: runs the real daemon under mixed load for that long (30), with its data in a folder of its own, and
# prints a verdict; exit status 1 if anything went wrong. The samples go to bench/results/soak.json, and from ten minutes on
# the curves to docs/images/soak.svg. It needs Go only.
set -euo pipefail
cd "$(dirname "$0")"
minutes=${1:-30}
w=$(mktemp -d); trap 'rm -rf "$w"' EXIT
go build -o "$w/" ./soak ../cmd/postamt
svg=$w/soak.svg; [ "$minutes" -lt 10 ] || svg=../docs/images/soak.svg
echo "Soak of $(date +%F) on $(nproc) cores, $(uname -sr), $(go version | cut -d' ' -f3), Postamt $(git describe --always --dirty)"
mkdir "$w/data"
"$w/soak" -postamt "$w/postamt" -dir "$w/data" -duration "${minutes}m" -json results/soak.json -svg "$svg"
