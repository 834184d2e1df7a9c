"""Prometheus rules and Grafana boards, generated so that metrics, columns and boards cannot drift apart.

``python -m deploy.monitoring`` writes ``deploy/prometheus/rules.yml`` and ``deploy/grafana/boards``.
"""
