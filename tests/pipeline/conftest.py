"""Fixtures of the tests that need servers."""

from tests.fixtures_brokers import broker, topic_prefix

__all__ = ["broker", "topic_prefix"]
