#!/usr/bin/env bash
# Takes VictoriaMetrics and its vmagent out of Debian's package for `npm run test:e2e`, unless they are there: nothing is
# installed, no service starts. Wants apt-get and dpkg-deb.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.e2e/tools
[ -x "$tools/vmagent" ] && [ -x "$tools/victoria-metrics" ] && exit
mkdir -p "$tools"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
cd "$work"
apt-get download -qq victoria-metrics 2>/dev/null || { "${as_root[@]}" apt-get update -qq && apt-get download -qq victoria-metrics; }
dpkg-deb -x victoria-metrics_*.deb unpacked
cd "$OLDPWD"
cp "$work"/unpacked/usr/bin/{vmagent,victoria-metrics} "$tools/"
