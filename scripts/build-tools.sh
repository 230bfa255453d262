#!/usr/bin/env bash
# Builds Prometheus 3, Telegraf, the OpenTelemetry Collector, Thanos and Mimir from their Go modules into .e2e/tools, where `npm
# run test:e2e` finds them. CPU: three minutes for Prometheus, one for Telegraf, fourteen for the Collector, whose receiver
# brings Kubernetes' client, four for Thanos, seven for Mimir; several gigabytes of modules. Wants Go 1.26 or newer.
# Usage: bash scripts/build-tools.sh [TOOL …]
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .e2e/tools
tools=$PWD/.e2e/tools
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=mod

# The source of a module of this version in a folder: what a module replaces counts only where it is the main one.
source_of() {
  local dir
  dir=$(GOFLAGS='' go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
  cp -r "$dir" "$2"
  chmod -R u+w "$2"
}

# Prometheus' without the service discovery of clouds, which is most of it and which Prometheus lets one leave out (plugins.yml).
prometheus_source() {
  source_of "github.com/prometheus/prometheus@$1" "$2"
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

# Newer ones need a module that cannot be had everywhere.
thanos() {
  source_of github.com/thanos-io/thanos@v0.36.1 "$work/thanos"
  cd "$work/thanos"
  GOFLAGS='' go build -o "$tools/thanos" ./cmd/thanos
}

mimir() {
  source_of github.com/grafana/mimir@v1.3.1-0.20260423142704-aced80d74930 "$work/mimir"
  cd "$work/mimir"
  GOFLAGS='' go build -o "$tools/mimir" ./cmd/mimir
}

for tool in "${@:-prometheus3 telegraf otelcol thanos mimir}"; do
  for each in $tool; do [ -x "$tools/$each" ] || ("$each"); done
done
