#!/usr/bin/env bash
# Runs the unit suite on another major of Node, in a copy of this tree, with the binary of the npm package `node`.
# Usage: bash scripts/test-on-node.sh 24
set -euo pipefail
cd "$(dirname "$0")/.."
major=${1:?which major of Node?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/node" "$work/weir"
# The package brings the binary, and beside it the headers that better-sqlite3 is compiled against.
(cd "$work/node" && npm init -y >/dev/null && npm install --no-save --silent "node@$major")
home=$(dirname "$(find "$work/node/node_modules" -path '*/include/node/node.h' -print -quit)")/../..
binary=$(find "$work/node/node_modules" -path '*/bin/node' -type f -print -quit)
[ -x "$binary" ] || { echo "the npm package node@$major brought no binary" >&2; exit 1; }

git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/weir" 2>/dev/null || true
cd "$work/weir"
PATH=$(dirname "$binary"):$PATH
npm_config_nodedir=$(cd "$home" && pwd)
export PATH npm_config_nodedir
echo "node $(node --version)"
npm ci
UNIT_TEST_SUMMARY="${OLDPWD}/.e2e/summary-node$major.json" npm test
