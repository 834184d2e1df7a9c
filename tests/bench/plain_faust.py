"""The job of a worker with plain Faust: its own transport, one record at a time. Same logic, same checkpoints. With the argument `core`
only what tests/bench/core.py has."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import faust
from aiokafka.structs import ConsumerRecord

from deploy.registry import agents
from streams.prepare import prepare
from streams.settings import load_settings
from streams.transport import RecordBatch
from streams.worker import Runtime
from tests.bench import smoke
from tests.bench.core import core_agents
from tests.bench.throughput import plain


def app_of(core: bool) -> faust.App:
    settings = load_settings()
    source = asyncio.run(prepare(settings))
    app = faust.App(
        "plain",
        broker=f"kafka://{settings.kafka_bootstrap}",
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        topic_allow_declare=False,
        store="memory://",
        autodiscover=False,
        web_port=settings.web_port,
        web_host="127.0.0.1",
        web_bind="127.0.0.1",
    )
    all_agents = core_agents(settings, source) if core else agents(settings, source)
    runtime = Runtime(settings, all_agents, lambda: app.consumer, source)
    runtime._end = lambda topic, partition: None  # type: ignore[method-assign]  # plain Faust does not say where a topic ends
    runtime._hold = lambda agent, partition, topics: None  # type: ignore[method-assign]  # plain Faust drops what it has fetched of a paused partition

    def register(agent: Any) -> None:
        topic = app.topic(*agent.inputs, value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes)

        async def process(stream: Any) -> None:
            await runtime.maybe_start()
            while agent.name not in runtime.checkpointers:  # the other agent is starting it
                await runtime.sleep(0.05)
            checkpointer = runtime.checkpointers[agent.name]
            if not checkpointer.partitions:
                await checkpointer.restore(set(range(settings.partitions)))
            async for event in stream.events():
                m = event.message
                key = m.key if isinstance(m.key, bytes) or m.key is None else bytes(m.key)
                headers = list(m.headers.items()) if hasattr(m.headers, "items") else list(m.headers or ())
                record = ConsumerRecord(
                    m.topic, m.partition, m.offset, int(m.timestamp * 1000), 0, key, m.value, None, 0, len(m.value), headers
                )
                await checkpointer.apply(RecordBatch(m.topic, m.partition, [record], m.offset, m.offset + 1), bool)

        async def checkpoints() -> None:
            while agent.name not in runtime.checkpointers:
                await runtime.sleep(0.05)
            await runtime.checkpointers[agent.name].run()

        app.agent(topic, name=agent.name)(process)
        app.task(checkpoints)

    for one in all_agents:
        register(one)

    @app.page("/status")
    async def status(view: Any, request: Any) -> Any:
        return view.json(runtime.status())

    return app


if __name__ == "__main__":
    if smoke.asked_for():
        asyncio.run(plain(smoke.EVENTS // 4, "plain Faust", ["tests.bench.plain_faust"], [], {}))
    else:
        only_core = sys.argv[1:] == ["core"]
        del sys.argv[1:]  # Faust reads them too
        faust.Worker(app_of(only_core), loglevel="WARNING").execute_from_commandline()
