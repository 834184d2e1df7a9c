"""The changelog on a broker that deletes records when it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import streams.changelog as module
from deploy.kafka import runtime
from deploy.kafka.apache import ApacheKafka
from streams.changelog import Changelog
from streams.kafka import ensure_topics, new_producer
from streams.settings import load_settings
from streams.topics import Topic

pytestmark = [pytest.mark.asyncio, pytest.mark.skipif(runtime.missing() is not None, reason=str(runtime.missing()))]

TOPIC = "state"


async def test_a_log_that_its_writer_trims_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ApacheKafka(data_dir=tmp_path / "data", log_dir=tmp_path / "logs") as kafka:
        settings = load_settings(kafka_bootstrap=kafka.bootstrap, partitions=1)
        await ensure_topics(settings, [Topic(TOPIC, 1, {})])
        async with new_producer(settings) as producer:
            # Given a writer whose log holds changes
            changelog = Changelog(settings, producer, TOPIC)
            writer, _ = await changelog.take_over(0, (await changelog.read([0]))[0])
            for offset in (1, 2, 3):
                await writer.append({"events": offset}, b"change")
            # When it stores a snapshot and trims while another is reading
            read_to_end, trimmed = module._read_to_end, []

            async def trimmed_meanwhile(reader: Any, ends: Mapping[Any, int]) -> Any:
                if not trimmed:
                    trimmed.append(await writer.append_snapshot({"events": 4}, [b"snapshot"]))
                    await changelog.trim({0: trimmed[0]})
                return await read_to_end(reader, ends)

            monkeypatch.setattr(module, "_read_to_end", trimmed_meanwhile)
            found = (await Changelog(settings, producer, TOPIC).read([0]))[0]
            # Then the other sees what there is
            assert trimmed
            assert (found.pieces, found.offsets) == ([b"snapshot"], {"events": 4})
