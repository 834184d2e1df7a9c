"""``mirante up``: everything on one machine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from deploy.cli.options import DEFAULT_DATA, Data

DEMO_REQUESTS = 2_000
"""How much demo traffic `--exit` waits for."""

QUIET_SECONDS = 2.0
"""Without new input for so long, with nothing pending, everything published has arrived."""

SHOW_CURSOR = "\x1b[?25h"

FAREWELL_SECONDS = 0.3
"""What publishing and watching may take to end before the servers are stopped."""


def up(
    data: Data = DEFAULT_DATA,
    kafka: Annotated[str, typer.Option(help="embedded, apache (a real broker, needs Java 17 and Maven) or HOST:PORT.")] = "embedded",
    clickhouse: Annotated[str, typer.Option(help="embedded or the URL of a server.")] = "embedded",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    traffic: Annotated[str, typer.Option(help="demo, none, or a trace file.")] = "demo",
    speed: Annotated[str, typer.Option(help="Of the traffic: 1 = as recorded, N times faster, or max.")] = "1",
    exit: Annotated[bool, typer.Option("--exit", help="End when all traffic is in ClickHouse.")] = False,
    kafka_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    clickhouse_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    dashboard_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    ingest_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of what services without Kafka send to; 0 takes a free one.")
    ] = 0,
    rate: Annotated[float, typer.Option(min=0.1, help="Demo traffic: requests per second, on average over a day.")] = 5.0,
) -> None:
    """Run everything on this machine: broker, ClickHouse, worker and traffic, until Ctrl-C.

    Only loopback is listened on. Data live under --data; endpoints.json there says where everything answers.
    """
    from deploy.configuration import load_checked
    from deploy.embedded.stack import StackOptions
    from deploy.traffic.publisher import parse_speed
    from deploy.traffic.record import TrafficError

    try:
        pace = parse_speed(speed)
    except TrafficError as error:
        raise typer.BadParameter(str(error), param_hint="--speed") from error
    file = None if traffic in ("demo", "none") else Path(traffic)
    if file is not None and not file.is_file():
        raise typer.BadParameter(f"{traffic!r} is none of demo, none, or a file", param_hint="--traffic")
    if kafka not in ("embedded", "apache") and not all(_is_server(part) for part in kafka.split(",")):
        raise typer.BadParameter(f"{kafka!r} is none of embedded, apache, HOST:PORT{_meant(kafka, 'apache')}", param_hint="--kafka")
    if clickhouse != "embedded" and not clickhouse.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"{clickhouse!r} is neither embedded nor http[s]://[USER:PASSWORD@]HOST:PORT{_meant(clickhouse)}", param_hint="--clickhouse"
        )
    ports = [port for port in (kafka_port, clickhouse_port, dashboard_port, ingest_port) if port]
    if len(set(ports)) < len(ports):
        raise typer.BadParameter("two servers cannot have the same port; 0 takes a free one", param_hint="--kafka-port")
    if exit and traffic == "none":
        raise typer.BadParameter("--exit waits for traffic, and --traffic none has none", param_hint="--exit")
    given = load_checked()
    # What costs something is shown here, where there are few, unless the settings say otherwise.
    shown = {name: {"enabled": True, **getattr(given, name)} for name in ("labels", "behaviour", "topics")}
    shown["otlp"] = {"enabled": True, **given.otlp.model_dump(exclude_unset=True)}
    options = StackOptions(
        data, kafka=kafka, clickhouse=clickhouse, workers=workers, kafka_port=kafka_port, clickhouse_port=clickhouse_port,
        dashboard=True, dashboard_port=dashboard_port, ingest=True, ingest_port=ingest_port, settings=shown,
    )  # fmt: skip
    asyncio.run(_Up(options, traffic, file, pace, rate, exit).run())


def _is_server(text: str) -> bool:
    host, _, port = text.strip().rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65_536


def _meant(text: str, *more: str) -> str:
    from streams.problems import nearest

    return nearest(text, ("embedded", *more))


def _leave(status: int) -> NoReturn:
    """End now: threads that wait for the answer of a server would hold the exit for minutes."""
    if sys.stdout.isatty():
        sys.stdout.write(SHOW_CURSOR)  # a live view that was cut short has hidden it
    sys.stdout.flush()
    os._exit(status)


class _Up:
    def __init__(self, options: Any, traffic: str, file: Path | None, pace: float, rate: float, exit: bool) -> None:
        from deploy.cli.summary import Summary

        self._options = options
        self._traffic, self._file, self._pace, self._rate, self._exit = traffic, file, pace, rate, exit
        self._summary = Summary(options.data)
        self._stopping = False

    async def run(self) -> None:
        from deploy.embedded.stack import Stack

        loop = asyncio.get_running_loop()
        stack = Stack(self._options, self._summary.say)
        running = asyncio.ensure_future(self._whole(stack))

        def interrupt(number: int, frame: object) -> None:
            """First: stop in order. Again, or while nothing but threads are left to wait for: kill."""
            if self._stopping or running.done():
                stack.kill()
                _leave(128 + number)
            self._stopping = True
            loop.call_soon_threadsafe(self._summary.say, "stopping ... (again: kill at once)")
            loop.call_soon_threadsafe(running.cancel)

        # Not the loop's handlers: a second signal must work whatever holds the loop.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
        try:
            await running
        except asyncio.CancelledError:
            self._summary.say("; ".join(["stopped", *stack.troubles()]))
            _leave(0)

    async def _whole(self, stack: Any) -> None:
        begun = time.monotonic()
        async with stack:
            self._summary.ready(stack, time.monotonic() - begun)
            tasks = {asyncio.ensure_future(stack.watch()), asyncio.ensure_future(self._summary.show(stack))}
            work = asyncio.ensure_future(self._work(stack))
            try:
                done, _ = await asyncio.wait({*tasks, work}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # raises what ended it
                self._summary.say(f"all traffic is in ClickHouse after {time.monotonic() - begun:.1f} s")
                await self._summary.final(stack)
            finally:
                for task in (*tasks, work):
                    task.cancel()
                # No longer: a client of a server that hangs ends when the server does.
                await asyncio.wait({*tasks, work}, timeout=FAREWELL_SECONDS)

    async def _work(self, stack: Any) -> None:
        """Publish the traffic; with --exit return when it is in ClickHouse, else never."""
        from streams.kafka import by_topic, end_offsets
        from streams.topics import Topics

        before = by_topic(await end_offsets(stack.settings, Topics.of(stack.settings).events))
        published = await self._publish(stack)
        if self._exit:
            await self._until_stored(stack, before, published)
            return
        await asyncio.Event().wait()

    async def _publish(self, stack: Any) -> dict[str, int]:
        from deploy.traffic.demo import demo
        from deploy.traffic.publisher import publish
        from deploy.traffic.replay import replay
        from streams.kafka import client_options

        settings = stack.settings
        common: dict[str, Any] = {
            "prefix": settings.topic_prefix,
            "speed": self._pace,
            "on_progress": self._summary.progress,
            **client_options(settings),
        }
        if self._traffic == "none":
            self._summary.say("no traffic of its own: publish to the topics, or use `mirante replay`")
            return {}
        if self._file is not None:
            self._summary.say(f"publishing {self._file}")
            return (await replay(self._file, **common)).published
        # Faster than life, event time must not run into the future: begin in the past.
        start = datetime.now(UTC) - (timedelta(days=1) if self._pace > 1 else timedelta())
        records = demo(start=start, rate=self._rate, count=DEMO_REQUESTS if self._exit else None)
        self._summary.say(f"publishing demo traffic, about {self._rate:g} requests per second")
        return (await publish(records, **common)).published

    async def _until_stored(self, stack: Any, before: dict[str, int], published: dict[str, int]) -> None:
        """Wait until what was published is durable and committed, whoever did it, and nothing waits for its counterpart."""
        from streams.kafka import by_topic, committed_offsets

        said = 0.0
        while True:
            await asyncio.sleep(0.3)
            status = await stack.status()
            durable = by_topic(await committed_offsets(stack.settings, list(published)))
            missing = sum(max(0, before.get(t, 0) + n - durable.get(t, 0)) for t, n in published.items())
            waiting = sum(worker["waiting"] for worker in status)
            quiet = min((worker["quiet_seconds"] for worker in status), default=0.0)
            if len(status) == self._options.workers and not missing and not waiting and quiet > QUIET_SECONDS:
                return
            if time.monotonic() - said > 5:
                said = time.monotonic()
                self._summary.say(f"waiting: {missing:,} events to store, {waiting:,} requests or responses without their counterpart")
