"""How far a worker under measurement is."""

from __future__ import annotations

import json

from deploy.embedded.stack import fetch


def durable_records(port: int, *topics: str) -> int:
    """Records of these topics that the worker whose pages are at ``port`` has processed for good; 0 while it does not answer."""
    answer = fetch(f"http://127.0.0.1:{port}/status")
    offsets = {} if answer is None else json.loads(answer)["durable"]
    return sum(sum(offsets.get(topic, {}).values()) for topic in topics)
