#!/usr/bin/env bash
# Builds Prometheus 3, Telegraf and the OpenTelemetry Collector from their Go modules into .e2e/tools, where `npm run
# test:e2e` finds them. CPU: three minutes for Prometheus, one for Telegraf, fourteen for the Collector, whose receiver brings
# Kubernetes' client; 3 GB of modules. Wants Go 1.26 or newer.
# Usage: bash scripts/build-tools.sh [TOOL …]
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .e2e/tools
tools=$PWD/.e2e/tools
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=mod

# Prometheus' source of this version in a folder, without the service discovery of clouds, which is most of it and which Prometheus lets
# one leave out (plugins.yml).
prometheus_source() {
  local dir
  dir=$(GOFLAGS='' go mod download -json "github.com/prometheus/prometheus@$1" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
  cp -r "$dir" "$2"
  chmod -R u+w "$2"
  echo 'package plugins' >"$2/plugins/plugins.go"
}

prometheus3() {
  prometheus_source v0.308.0 "$work/prometheus"
  cd "$work/prometheus"
  GOFLAGS='' go build -o "$tools/prometheus3" ./cmd/prometheus
}

# With the plugins the test uses; all of them would need modules that cannot be had everywhere.
telegraf() {
  GOFLAGS='' GOBIN=$tools go install -tags custom,inputs.http,outputs.file,parsers.prometheus \
    github.com/influxdata/telegraf/cmd/telegraf@v1.37.2
}

otelcol() {
  # What its receiver is made of, in the version it asks for.
  prometheus_source v0.312.0 "$work/scraping"
  mkdir "$work/otelcol" && cd "$work/otelcol"
  cat >builder.yaml <<YAML
dist: { name: otelcol, output_path: ./out, module: weir.example/otelcol }
receivers: [{ gomod: github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver v0.157.0 }]
exporters: [{ gomod: go.opentelemetry.io/collector/exporter/debugexporter v0.157.0 }]
replaces: ["github.com/prometheus/prometheus => $work/scraping"]
YAML
  GOFLAGS='' GOBIN=$work go install go.opentelemetry.io/collector/cmd/builder@v0.157.0
  GOFLAGS='' "$work/builder" --config builder.yaml
  cp out/otelcol "$tools/otelcol"
}

for tool in "${@:-prometheus3 telegraf otelcol}"; do
  for each in $tool; do [ -x "$tools/$each" ] || ("$each"); done
done
