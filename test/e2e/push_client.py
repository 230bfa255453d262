"""Pushes with prometheus_client's own Pushgateway functions: what changes for a user is the URL and the handler.

Arguments: the endpoint's URL without /metrics, and the Authorization header.
"""

import sys

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary
from prometheus_client import delete_from_gateway, push_to_gateway, pushadd_to_gateway
from prometheus_client.exposition import default_handler

url, authorization = sys.argv[1:]


def with_bearer(url, method, timeout, headers, data):
    return default_handler(url, method, timeout, [*headers, ("Authorization", authorization)], data)


def gauge(name, value):
    registry = CollectorRegistry()
    Gauge(name, "A gauge.", registry=registry).set(value)
    return registry


# push_to_gateway replaces all of the group, here with one metric of each type.
push_to_gateway(url, job="replaced", registry=gauge("py_before", 1), handler=with_bearer)
registry = CollectorRegistry()
Counter("py_jobs", "Jobs.", ["queue"], registry=registry).labels('a "b" \\ \n é').inc(3)
Summary("py_size", "Sizes.", registry=registry).observe(2.5)
Histogram("py_wait", "Waits.", buckets=(0.5, 1), registry=registry).observe(0.7)
Info("py_build", "Build.", registry=registry).info({"version": "1.2"})
push_to_gateway(url, job="replaced", registry=registry, handler=with_bearer)

# pushadd_to_gateway replaces the metrics of the same names and leaves the others.
key = {"instance": "host:9100/a b", "shard": ""}
added = {"job": "added", "grouping_key": key, "handler": with_bearer}
push_to_gateway(url, registry=gauge("py_kept", 1), **added)
pushadd_to_gateway(url, registry=gauge("py_added", 1), **added)
pushadd_to_gateway(url, registry=gauge("py_added", 2), **added)

# delete_from_gateway deletes the group with exactly this key.
push_to_gateway(url, job="deleted", registry=gauge("py_deleted", 1), handler=with_bearer)
push_to_gateway(url, job="deleted", grouping_key={"instance": "b"}, registry=gauge("py_other", 1), handler=with_bearer)
delete_from_gateway(url, job="deleted", handler=with_bearer)
