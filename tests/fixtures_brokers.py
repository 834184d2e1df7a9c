"""The broker that tests run on: the embedded one, or Apache Kafka with MIRANTE_TEST_KAFKA=apache.

In a conftest: `from tests.fixtures_brokers import broker, topic_prefix`.

One broker serves a whole test process, so with pytest-xdist every worker has its own (Apache Kafka: 1.5 to 4 s each,
once). Sharing one between workers would tie it to the life of the worker that started it, which may be the first to
finish.
"""

import os
import re
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.embedded.broker import TansuBroker
from deploy.embedded.broker_api import Broker
from deploy.kafka.apache import ApacheKafka
from deploy.kafka.runtime import missing

KIND_VARIABLE = "MIRANTE_TEST_KAFKA"


def broker_kind() -> str:
    """`embedded` or `apache`, for tests that state where the two differ."""
    kind = os.environ.get(KIND_VARIABLE, "embedded")
    if kind not in ("embedded", "apache"):
        raise pytest.UsageError(f"{KIND_VARIABLE}={kind}: must be embedded or apache")
    return kind


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """A running broker. Tests share it: they name their topics and groups with `topic_prefix`, and do not stop it."""
    folder = tmp_path_factory.mktemp("broker")
    running: Broker
    if broker_kind() == "embedded":
        running = TansuBroker(log_dir=folder / "logs")
    elif (reason := missing()) is not None:
        pytest.skip(reason)
    else:
        running = ApacheKafka(data_dir=folder / "kafka", log_dir=folder / "logs")
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """Begins the names of a test's topics and groups; differs from test to test and from run to run."""
    test = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name)[:60].strip("-")
    return f"{test}-{uuid.uuid4().hex[:8]}-"
