#!/usr/bin/env bash
# Makes the Python environment in which `npm run test:e2e` runs Datadog's OpenMetrics check, unless it is there.
# Wants Python 3.11 or newer with venv (Debian: python3-venv).
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.e2e/datadog-venv
"$venv/bin/python" -c 'import datadog_checks.base.checks.openmetrics.v2.base, requests_oauthlib' 2>/dev/null && exit

python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3
rm -rf "$venv"
mkdir -p "$(dirname "$venv")"
"$python" -m venv "$venv"
# Without the extra `http`, which wants the headers of Kerberos: this is all the check's OAuth2 needs of it.
"$venv/bin/pip" install --quiet --disable-pip-version-check 'datadog-checks-base[deps]' oauthlib requests-oauthlib
