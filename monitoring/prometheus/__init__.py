"""Prometheus: recording rules, alerts, and what is scraped."""
