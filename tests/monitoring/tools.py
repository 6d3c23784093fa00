"""Prometheus' and Alertmanager's own tools, and what the tests read with them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from monitoring.files import HOUSE
from tests.servers import HOUSES, unavailable

RULES = sorted((HOUSE / "prometheus" / "rules").glob("*.yaml"))
RULE_TESTS = sorted((HOUSE / "prometheus" / "tests").glob("*.yaml"))
RUNBOOKS = HOUSES / "docs" / "runbooks"

OF_PROMETHEUS = frozenset(
    {
        "up",
        "ALERTS",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_max_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "prometheus_notifications_errors_total",
        "prometheus_notifications_alertmanagers_discovered",
        "prometheus_notifications_sent_total",
        "prometheus_rule_evaluation_failures_total",
        "prometheus_rule_group_last_duration_seconds",
        "prometheus_tsdb_head_series",
        "alertmanager_notifications_failed_total",
        "alertmanager_notifications_total",
        "alertmanager_alerts",
    }
)
"""Series of the watch itself, and of every process, that are not in our catalogue."""

_WORDS = re.compile(
    r"(?:sum|max|min|avg|count|rate|increase|irate|by|on|without|and|or|unless|bool|ignoring|group_left"
    r"|histogram_quantile|absent|time|vector|topk|label_replace|abs|avg_over_time|max_over_time|changes"
    r"|sort|sort_desc|clamp_min|clamp_max|scalar|quantile|delta|offset|round|group)\Z"
)
"""PromQL's own."""


def tool(name: str) -> str:
    """The path of a tool; skips where it is not installed."""
    return shutil.which(name) or unavailable(f"{name} is not installed: see scripts/servers")


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A tool that ends by itself."""
    return subprocess.run(
        (tool(name), *map(str, arguments)), capture_output=True, text=True, check=False, timeout=110
    )


def rules() -> list[dict[str, Any]]:
    """All committed rules."""
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def recorded() -> set[str]:
    """Names of recorded series."""
    return {rule["record"] for rule in rules() if "record" in rule}


def metrics_in(expression: str) -> set[str]:
    """Names of metrics in an expression, histograms' by their base name."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\b(?:by|on|ignoring|without|group_left|group_right) *\([^)]*\)", " ", bare)
    bare = re.sub(r"\{[^}]*\}", " ", bare)
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    found = set(re.findall(r"(?<![\w:.$])[A-Za-z_][\w:]*", bare))
    return {
        re.sub(r"_(?:bucket|count|sum)\Z", "", name) for name in found if not _WORDS.match(name)
    }


def check_expressions(expressions: Iterable[str], folder: Path) -> str:
    """What promtool says against expressions; nothing when they are well."""
    written = folder / "expressions.yaml"
    listed = [
        {"record": f"checked:{number}", "expr": expression}
        for number, expression in enumerate(dict.fromkeys(expressions))
    ]
    written.write_text(json.dumps({"groups": [{"name": "checked", "rules": listed}]}))
    done = run("promtool", "check", "rules", written)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def unknown(names: Iterable[str], known: Sequence[str]) -> set[str]:
    """Metrics that nobody tells."""
    return set(names) - set(known) - OF_PROMETHEUS - recorded()
