"""Grafana: six dashboards as code. Needs grafana-foundation-sdk, which developers install."""
