"""Monitoring as code: Prometheus rules, Alertmanager routes, Grafana dashboards.

    python -m monitoring            writes every generated file beside its source

It knows the platform by the names of its metrics alone, and imports nothing of it.
"""
