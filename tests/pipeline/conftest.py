"""Fixtures of the tests that need servers."""

from collections.abc import Iterator

import pytest

from deploy.embedded.broker_api import Broker
from tests.fixtures_brokers import broker, topic_prefix
from tests.installation import Installation

__all__ = ["broker", "topic_prefix"]


@pytest.fixture(scope="session")
def mirante(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation with one worker, shared by the tests of a process: each uses tenants and ids of its own."""
    with Installation(broker.bootstrap, tmp_path_factory.mktemp("stack")) as installation:
        yield installation
