"""A running Mirante for tests: a stack on a broker that exists already, with short ways to publish, ask and wait."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from deploy.embedded.stack import Stack, StackOptions
from streams.clickhouse import connect
from tests.stopped import stop

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
"""When the events of the tests happen, unless they say otherwise."""


class Sent(NamedTuple):
    """A record to publish. ``value``: an event, or raw bytes. ``written``: Kafka's time, in seconds after ``NOW``; None: when it is."""

    topic: str
    value: Mapping[str, Any] | bytes | None
    key: str | bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    written: float | None = None


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:10]}"


def request(request_id: str, **fields: Any) -> dict[str, Any]:
    """A request event with sensible fields."""
    return {
        "event_id": f"q-{request_id}",
        "time": rfc3339(fields.pop("at", 0.0)),
        "request_id": request_id,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "feature": "support",
        **fields,
    }


def response(request_id: str, **fields: Any) -> dict[str, Any]:
    """The response event of a request."""
    return {
        "event_id": f"a-{request_id}",
        "time": rfc3339(fields.pop("at", 1.0)),
        "request_id": request_id,
        "response_id": f"r-{request_id}",
        "status": "ok",
        "finish_reason": "stop",
        "usage": {"input_tokens": 1000, "output_tokens": 100},
        "latency_ms": 1000,
        "ttft_ms": 250,
        **fields,
    }


def rfc3339(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class Installation:
    """A stack with its own topics on a shared broker. ``with Installation(bootstrap, directory) as mirante: ...``"""

    def __init__(self, bootstrap: str, directory: Path, *, workers: int = 1, ingest: bool = False, **settings: Any) -> None:
        self.prefix = f"{unique('t')}."
        self.directory = directory
        own = {"topic_prefix": self.prefix, "group": self.prefix, "session_timeout": "6", "drain_timeout": "1.2", **settings}
        self.stack = Stack(StackOptions(directory, kafka=bootstrap, workers=workers, ingest=ingest, settings=own), say=lambda text: None)

    def __enter__(self) -> Installation:
        asyncio.run(self.stack.__aenter__())
        self.bootstrap = self.stack.settings.kafka_bootstrap
        self._client = connect(self.stack.settings.clickhouse_url)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()
        asyncio.run(self.stack.__aexit__(None, None, None))

    def environment(self, port: int) -> dict[str, str]:
        """Of a worker beside those of the stack; ``port``: of its pages."""
        settings = self.stack.settings
        return {
            **os.environ,
            "MIRANTE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "MIRANTE_CLICKHOUSE_URL": settings.clickhouse_url,
            "MIRANTE_TOPIC_PREFIX": settings.topic_prefix,
            "MIRANTE_GROUP": settings.group,
            "MIRANTE_SESSION_TIMEOUT": "6",
            "MIRANTE_SEGMENT_REQUESTS": str(settings.segment_requests),
            "MIRANTE_WEB_PORT": str(port),
        }

    def publish(self, records: Iterable[Sent]) -> None:
        """Publish in order and wait for the acknowledgements."""
        asyncio.run(self._publish(records))

    def publish_at_once(self, records: Iterable[Sent]) -> None:
        """The same, and nobody reads before all is there: for how long a publisher stalls says nothing of what it publishes.
        A worker takes a partition that is silent for some seconds to be at its end."""
        for worker in self.stack.workers:
            assert worker.pid is not None
            stop(worker.pid)
        try:
            self.publish(records)
        finally:
            for worker in self.stack.workers:
                worker.signal(signal.SIGCONT)

    async def _publish(self, records: Iterable[Sent]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", max_request_size=32 << 20) as producer:
            pending = []
            for record in records:
                value = record.value if isinstance(record.value, bytes | None) else json.dumps(record.value).encode()
                key = record.key.encode() if isinstance(record.key, str) else record.key
                topic = self.prefix + record.topic
                written = None if record.written is None else int((NOW.timestamp() + record.written) * 1000)
                pending.append(await producer.send(topic, value, key=key, headers=list(record.headers), timestamp_ms=written))
            await asyncio.gather(*pending)

    async def put(self, topic: str, values: Iterable[bytes | None]) -> None:
        """Write raw values to a topic without Mirante's prefix and wait for the acknowledgements. Tombstones alone have a key."""
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all") as producer:
            for value in values:
                await producer.send_and_wait(topic, value, key=b"nothing" if value is None else None)

    def query(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._client.query(sql, parameters=parameters or None).result_rows]

    def eventually(self, sql: str, expected: Sequence[tuple[Any, ...]], *, within: float = 30.0, **parameters: Any) -> None:
        """Wait until a query gives these rows; fails with what it gave last."""
        deadline = time.monotonic() + within
        while (rows := self.query(sql, **parameters)) != list(expected):
            if time.monotonic() > deadline:
                raise AssertionError(f"after {within:g} s still {rows!r}, expected {list(expected)!r}\n{sql}")
            time.sleep(0.1)

    def status(self) -> list[dict[str, Any]]:
        return asyncio.run(self.stack.status())

    def at_rest(self, quiet: float) -> bool:
        """Whether all there is has been processed, see Stack."""
        return asyncio.run(self.stack.at_rest(quiet))
