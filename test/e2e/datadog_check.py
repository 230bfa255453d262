"""Runs Datadog's OpenMetrics check with the package's own stub of the Agent, once per line on standard input.

The argument is the instance as JSON. A line is JSON, too: {"clock_s": N} moves the check's clock to N seconds from now.
Each run prints one line: the error the Agent would show, and what it would have been sent.
"""

import json
import sys
import time

from datadog_checks.base import OpenMetricsBaseCheckV2
from datadog_checks.base.stubs import aggregator
from datadog_checks.base.utils import time as check_time

check = OpenMetricsBaseCheckV2("weir", {}, [json.loads(sys.argv[1])])

for line in sys.stdin:
    moved = json.loads(line)["clock_s"]
    check_time.epoch_offset = lambda: time.time() + moved
    aggregator.reset()
    error = check.run()
    metrics = [
        {"name": stub.name, "type": aggregator.METRIC_ENUM_MAP_REV[stub.type], "value": stub.value, "tags": stub.tags}
        for name in aggregator.metric_names
        for stub in aggregator.metrics(name)
    ]
    health = [stub.status for stub in aggregator.service_checks("weir.openmetrics.health")]
    print(json.dumps({"error": error and json.loads(error)[0]["message"], "metrics": metrics, "health": health}), flush=True)
