"""What tells change: detectors of anomalies and drift, tests of two samples, and evidence that may
be looked at often.

A library: it knows no agent, no topic and no clock, so a detector runs in a notebook as it does in
a worker. :mod:`agents.detectors.detector` says what all detectors have in common.
"""
