#!/usr/bin/env bash
# Takes vmagent out of Debian's package victoria-metrics for `npm run test:e2e`, unless it is there: nothing is installed,
# no service starts. Wants apt-get and dpkg-deb.
set -euo pipefail
cd "$(dirname "$0")/.."

program=.e2e/tools/vmagent
[ -x "$program" ] && exit
mkdir -p .e2e/tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -qq victoria-metrics 2>/dev/null && dpkg-deb -x victoria-metrics_*.deb unpacked)
cp "$work/unpacked/usr/bin/vmagent" "$program"
