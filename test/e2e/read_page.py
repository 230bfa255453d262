"""Reads a page on standard input with prometheus_client's own parser of the format named, and prints it as JSON."""

import json
import sys

from prometheus_client import parser as text
from prometheus_client.openmetrics import parser as openmetrics

PARSERS = {
    "text": text.text_string_to_metric_families,
    "openmetrics": openmetrics.text_string_to_metric_families,
}


def exemplar(found):
    if found is None:
        return None
    told = {"labels": found.labels, "value": repr(float(found.value))}
    if found.timestamp is not None:
        told["timestamp"] = float(found.timestamp)
    return told


def family(metric):
    return {
        "name": metric.name,
        "type": metric.type,
        "help": metric.documentation,
        "unit": metric.unit,
        "samples": [
            {"name": s.name, "labels": s.labels, "value": repr(float(s.value)), "exemplar": exemplar(s.exemplar)}
            for s in metric.samples
        ],
    }


page = sys.stdin.buffer.read().decode("utf-8")
json.dump([family(metric) for metric in PARSERS[sys.argv[1]](page)], sys.stdout)
