"""Replaying a trace file into Mirante's topics."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.traffic.formats import count_records, detect, new_run, read_trace
from deploy.traffic.publisher import OnProgress, ReplayResult, publish


async def replay(
    path: Path | str,
    *,
    prefix: str = "llm.",
    format: str | None = None,
    speed: float = 1.0,
    shift_to: datetime | None = None,
    run: str | None = None,
    limit: int | None = None,
    on_progress: OnProgress | None = None,
    stop: asyncio.Event | None = None,
    **producer_options: Any,
) -> ReplayResult:
    """Publishes a trace file and returns when every record is acknowledged.

    `format`: one of `formats.FORMATS`, else recognised from the file. `speed`: event seconds per second, or
    `MAX_SPEED` (`publisher.parse_speed` reads both). `shift_to`: moves all times so that the first event is at that
    moment, else the recorded times are kept. `run`: replaying the same file under the same run name is counted once;
    without it every call counts. `limit`: only the first rows. `producer_options`: of `AIOKafkaProducer`, first of all
    `bootstrap_servers`.

    Raises `TrafficError` (a wrong file, line or topic, or a broker that fails) with what to do next. A wrong line is
    found when it is reached: what stands before it has been published.
    """
    path = Path(path)
    run = run or new_run()
    name = format or detect(path)
    return await publish(
        read_trace(path, format=name, run=run, shift_to=shift_to, limit=limit, prefix=prefix),
        prefix=prefix,
        speed=speed,
        total=count_records(path, format=name, limit=limit),
        on_progress=on_progress,
        stop=stop,
        run=run,
        **producer_options,
    )
