"""The part of ``mirante doctor`` that adds up what became of the records of the last hours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploy.cli.check import Check
from streams.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from deploy.conservation.events import Account, Place
    from deploy.conservation.otlp import SpanAccount as OtlpAccount

HOURS = 3.0
MOST = 5_000
"""Records of a partition that are looked at, the newest: the answer should take seconds."""


def conservation(settings: Settings) -> list[Check]:
    """A finding for each input topic. Raises OSError if a server does not answer."""
    from aiokafka.errors import KafkaError
    from clickhouse_connect.driver.exceptions import DatabaseError

    from streams.clickhouse import connect

    client = connect(settings.clickhouse_url)
    try:
        events, telemetry = asyncio.run(accounts(settings, client, time.time(), HOURS * 3_600))
    except DatabaseError as error:
        return [Check("conservation", "warning", f"the tables cannot be asked: {error}", "see what is said of the tables above")]
    except KafkaError as error:
        raise OSError(f"the records of the last hours cannot be read: {error}") from error
    finally:
        client.close()
    return [*map(finding_of, events), *map(finding_of_otlp, telemetry)]


async def accounts(settings: Settings, client: Client, now: float, seconds: float) -> tuple[list[Account], list[OtlpAccount]]:
    """Every input topic's account of the last ``seconds`` before ``now``: those of events, and OpenTelemetry's."""
    from deploy.conservation import events as of_events
    from deploy.conservation import otlp
    from streams.kafka import cluster_id
    from streams.topics import Topics

    source = await cluster_id(settings)
    # What spans became is published as events: those are read afterwards, not to be missed.
    telemetry = await otlp.read(settings, now - seconds)
    events = await of_events.read_events(settings, now - seconds, MOST)
    published = {read.event_id for read in events[Topics.of(settings).requests]}
    return of_events.accounts(client, settings, source, events, now), otlp.accounts(client, settings, source, telemetry, published, now)


def finding_of(account: Account) -> Check:
    """One line on a topic: that its records add up, or where the first is that does not."""
    parts = f"{account.rows:,} rows + {account.repeats:,} repeats + {account.letters:,} dead letters"
    waiting = f" + {account.waiting:,} still waiting" if account.waiting else ""
    detail = f"{account.topic}, last {HOURS:g} h: {account.records:,} records = {parts}{waiting}; difference {len(account.missing)}"
    again = "`mirante worker --from MOMENT` writes them again"
    return _finding(account.topic, detail, account.missing, again)


def finding_of_otlp(account: OtlpAccount) -> Check:
    """The same of spans or log records."""
    parts = " + ".join(f"{count:,} {ended}" for ended, count in sorted(account.ended.items()) if count)
    letters = f"; {account.letters:,} records are dead letters" if account.letters else ""
    held = f"{account.records:,} records with {account.held:,} {account.what}" + (f" = {parts}" if parts else "")
    detail = f"{account.topic}, last {HOURS:g} h: {held}{letters}; difference {len(account.missing)}"
    again = "`mirante worker --from MOMENT` writes calls again, steps must be sent once more"
    return _finding(account.topic, detail, account.missing, again)


def _finding(topic: str, detail: str, missing: Sequence[Place], again: str) -> Check:
    if not missing:
        return Check("conservation", "ok", detail)
    where = ", ".join(f"{partition}/{offset}" for partition, offset in missing[:3])
    remedy = (
        f"nothing came of {topic} {where} (partition/offset). If rows were deleted, or ClickHouse was set up anew, {again}; "
        "otherwise please report it with these records"
    )
    return Check("conservation", "error", detail, remedy)
