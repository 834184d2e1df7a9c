"""Anomalies of cost, traffic, failures and latency: streaming detectors, calibrated by expected false alarms, and the agent around them."""
