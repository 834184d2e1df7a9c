"""Reading a changelog: takeovers, zombies, unfinished groups, repeats, snapshots, trimmed logs."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams.changelog
from streams.changelog import Changelog, ChangelogWriter, Entry, Overtaken, PieceKind, Restored, replay

TAKEOVER, SNAPSHOT, CHANGES = PieceKind.TAKEOVER, PieceKind.SNAPSHOT, PieceKind.CHANGES


def takeover(epoch: int, writer: str, read_to: int) -> Entry:
    return Entry(epoch, writer, TAKEOVER, 0, read_to=read_to)


def piece(epoch: int, writer: str, payload: bytes, offset: int | None = None, index: int = 0, kind: PieceKind = CHANGES) -> Entry:
    """A piece of a group; the last of a group says up to which offset of the topic ``t`` it is true."""
    return Entry(epoch, writer, kind, 0, None if offset is None else {"t": offset}, payload, index)


def read(*log: Entry, begin: int = 0) -> Restored:
    return replay(enumerate(log, begin))


def test_an_empty_log_is_an_empty_state() -> None:
    assert read() == Restored()


def test_groups_are_joined_in_order_with_the_offsets_of_the_last() -> None:
    found = read(takeover(0, "a", 0), piece(0, "a", b"1", 10), piece(0, "a", b"2"), piece(0, "a", b"3", 20, 1))
    assert (found.pieces, found.offsets, found.epoch, found.log_bytes) == ([b"1", b"23"], {"t": 20}, 0, 3)


def test_an_unfinished_group_does_not_count() -> None:
    found = read(takeover(0, "a", 0), piece(0, "a", b"1", 10), piece(0, "a", b"2"), piece(0, "a", b"3", None, 1))
    assert (found.pieces, found.offsets) == ([b"1"], {"t": 10})


def test_what_follows_an_unfinished_group_counts() -> None:
    found = read(takeover(0, "a", 0), piece(0, "a", b"x"), takeover(1, "b", 2), piece(1, "b", b"1", 10))
    assert (found.pieces, found.offsets, found.epoch) == ([b"1"], {"t": 10}, 1)


def test_a_group_without_changes_still_moves_the_offsets() -> None:
    found = read(takeover(0, "a", 0), piece(0, "a", b"1", 10), piece(0, "a", b"", 20))
    assert (found.pieces, found.offsets) == ([b"1"], {"t": 20})


def test_a_zombies_records_after_a_takeover_are_ignored() -> None:
    found = read(
        takeover(0, "a", 0), piece(0, "a", b"1", 10), takeover(1, "b", 2), piece(0, "a", b"z", 99), piece(1, "b", b"2", 20),
        piece(0, "a", b"Z", 999, kind=SNAPSHOT),
    )  # fmt: skip
    assert (found.pieces, found.offsets) == ([b"1", b"2"], {"t": 20})


def test_a_takeover_by_who_had_not_read_everything_does_not_hold() -> None:
    found = read(
        takeover(0, "a", 0), piece(0, "a", b"1", 10), piece(0, "a", b"unread", 15), takeover(1, "b", 2), piece(1, "b", b"2", 20)
    )
    assert (found.pieces, found.offsets) == ([b"1", b"unread"], {"t": 15})


def test_of_two_takeovers_of_one_epoch_the_first_in_the_log_holds() -> None:
    found = read(
        takeover(0, "a", 0), piece(0, "a", b"1", 10), takeover(1, "b", 2), takeover(1, "c", 2),
        piece(1, "c", b"c", 30), piece(1, "b", b"b", 20),
    )  # fmt: skip
    assert (found.pieces, found.offsets) == ([b"1", b"b"], {"t": 20})


def test_a_process_that_takes_over_from_itself_begins_a_new_epoch() -> None:
    found = read(takeover(0, "a", 0), piece(0, "a", b"1", 10), takeover(1, "a", 2), piece(0, "a", b"old", 15), piece(1, "a", b"2", 20))
    assert (found.pieces, found.offsets) == ([b"1", b"2"], {"t": 20})


def test_a_snapshot_replaces_what_was_before() -> None:
    found = read(
        takeover(0, "a", 0), piece(0, "a", b"1", 10), piece(0, "a", b"S1", None, 0, SNAPSHOT), piece(0, "a", b"S2", 20, 1, SNAPSHOT),
        piece(0, "a", b"2", 30),
    )  # fmt: skip
    assert (found.pieces, found.offsets, found.snapshot_at) == ([b"S1", b"S2", b"2"], {"t": 30}, 2)


def test_an_unfinished_snapshot_replaces_nothing() -> None:
    found = read(takeover(0, "a", 0), piece(0, "a", b"1", 10), piece(0, "a", b"S1", None, 0, SNAPSHOT))
    assert (found.pieces, found.offsets, found.snapshot_at) == ([b"1"], {"t": 10}, 0)


def test_a_trimmed_log_begins_with_a_snapshot() -> None:
    log = piece(3, "a", b"S", 20, 0, SNAPSHOT), piece(3, "a", b"1", 30), piece(2, "z", b"zombie", 99)
    found = read(*log, begin=100)
    assert (found.pieces, found.offsets, found.snapshot_at, found.epoch) == ([b"S", b"1"], {"t": 30}, 100, 3)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_repeats_by_the_producer_do_not_show(sizes: list[int], data: st.DataObject) -> None:
    """A record that is sent again because its answer was lost stands right behind itself."""
    log = [takeover(0, "a", 0)]
    for number, size in enumerate(sizes):
        log += [piece(0, "a", b"%d%d," % (number, i), number if i == size - 1 else None, i) for i in range(size)]
    repeated = [entry for entry in log for _ in range(data.draw(st.integers(1, 3)))]
    once, found = read(*log), read(*repeated)
    assert found.offsets == once.offsets
    assert list(dict.fromkeys(found.pieces)) == once.pieces, "whole groups may stand twice, which loads as once"


# Writers


class Broker:
    """One partition, and what another writer does between two of our sends."""

    def __init__(self) -> None:
        self.log: list[Entry] = []
        self.before_send: list[Any] = []

    async def send_and_wait(self, topic: str, value: bytes, *, partition: int) -> SimpleNamespace:
        if self.before_send:
            self.before_send.pop(0)()
        self.log.append(streams.changelog._decode(value))
        return SimpleNamespace(offset=len(self.log) - 1)


class LocalChangelog(Changelog):
    def __init__(self, broker: Broker, writer: str) -> None:
        self.broker, self._writer, self._topic, self._producer = broker, writer, "c", broker

    async def read(self, partitions: Sequence[int]) -> dict[int, Restored]:
        found = read(*self.broker.log)
        found.end = len(self.broker.log)
        return {0: found}

    async def owner(self) -> ChangelogWriter:
        return (await self.take_over(0, (await self.read([0]))[0]))[0]


async def test_a_takeover_that_does_not_stand_where_its_writer_read_to_is_repeated() -> None:
    broker = Broker()
    old = await LocalChangelog(broker, "old").owner()
    await old.append({"t": 1}, b"1")
    changelog = LocalChangelog(broker, "new")
    stale = (await changelog.read([0]))[0]
    await old.append({"t": 2}, b"2")
    _, restored = await changelog.take_over(0, stale)
    assert (restored.pieces, restored.offsets) == ([b"1", b"2"], {"t": 2})
    with pytest.raises(Overtaken):
        await old.append({"t": 3}, b"zombie")
    assert read(*broker.log).offsets == {"t": 2}


async def test_only_a_snapshot_without_a_foreign_record_before_or_in_it_allows_to_trim() -> None:
    broker = Broker()
    old = await LocalChangelog(broker, "old").owner()
    await old.append({"t": 1}, b"1")
    assert await old.append_snapshot({"t": 1}, [b"S1", b"S2"]) == 2
    foreign = takeover(1, "new", len(broker.log))
    broker.before_send = [lambda: None, lambda: broker.log.append(foreign)]
    assert await old.append_snapshot({"t": 2}, [b"S1", b"S2"]) is None, "a foreign record within the snapshot"
    broker.before_send = [lambda: broker.log.append(foreign)]
    assert await old.append_snapshot({"t": 2}, [b"S1", b"S2"]) is None, "a foreign record before the snapshot"


async def test_long_changes_are_cut_and_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.changelog, "PIECE_BYTES", 4)
    broker = Broker()
    writer = await LocalChangelog(broker, "a").owner()
    await writer.append({"t": 1}, b"0123456789")
    await writer.append({"t": 2}, None)
    assert [len(entry.payload) for entry in broker.log] == [0, 4, 4, 2, 0]
    found = read(*broker.log)
    assert (found.pieces, found.offsets) == ([b"0123456789"], {"t": 2})


async def test_a_snapshot_is_due_when_the_changes_outweigh_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.changelog, "SNAPSHOT_MIN_BYTES", 10)
    writer = await LocalChangelog(Broker(), "a").owner()
    await writer.append({"t": 1}, b"x" * 10)
    assert not writer.snapshot_due
    await writer.append({"t": 1}, b"x")
    assert writer.snapshot_due
    await writer.append_snapshot({"t": 1}, [b"y" * 8])
    assert not writer.snapshot_due
    await writer.append({"t": 1}, b"x" * 16)
    assert not writer.snapshot_due, "3 times 8 bytes"
    await writer.append({"t": 1}, b"x")
    assert writer.snapshot_due
