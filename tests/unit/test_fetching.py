"""What a broker may give, and what is read of it: every record that can be read, and a word for each that cannot."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams import fetching
from streams.decompress import Decompressor
from streams.fetching import Unreadable, deliver, skip
from tests.raw_batches import CODECS, HEADER, batch, patched, with_payload

TP = TopicPartition("events", 3)
MOST = 1 << 20
BEFORE, AFTER = batch([b"a", b"b"], 0), batch([b"x", b"y"], 10)
SOUND = batch([b"c%d" % n for n in range(8)], 2)


def reader(raw: bytes, start: int = 0, on_unreadable: Any = deliver, aborted: Any = None, highwater: int = 12) -> Any:
    made = PartitionRecords(TP, MemoryRecords(raw), aborted, start, None, None, True, READ_COMMITTED)
    return fetching._Records(made, raw, highwater, Decompressor(MOST), on_unreadable)


def offsets(records: Iterable[Any]) -> list[int | tuple[int, int]]:
    """Offsets of records, and (first, last) of what is unreadable."""
    return [(r.offset, r.last_offset) if isinstance(r, Unreadable) else r.offset for r in records]


def unreadable(raw: bytes, start: int = 0) -> Unreadable:
    (found,) = [r for r in reader(raw, start) if isinstance(r, Unreadable)]
    return found


class TestCodecs:
    @pytest.mark.parametrize("codec", CODECS)
    def test_each_codec_of_kafka_is_read(self, codec: str) -> None:
        values = [b"first", b"", b"x" * 100_000]
        records = list(reader(batch(values, 5, codec=codec), 5))
        assert [(r.offset, r.key, r.value) for r in records] == [(5 + n, b"k", v) for n, v in enumerate(values)]
        assert [r.timestamp - records[0].timestamp for r in records] == [0, 1, 2]

    def test_snappy_in_the_blocks_of_the_java_library(self) -> None:
        # Given the records in two blocks, as snappy-java writes them
        plain = batch([b"x" * 50_000, b"y" * 9], 0)
        payload = plain[HEADER:]
        blocks = [bytes(cramjam.snappy.compress_raw(part)) for part in (payload[:32_768], payload[32_768:])]
        framed = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(b)) + b for b in blocks)

        # Then
        assert [r.value for r in reader(with_payload(plain, framed, 2))] == [b"x" * 50_000, b"y" * 9]

    def test_gzip_of_several_members(self) -> None:
        plain = batch([b"x" * 1000], 0)
        payload = plain[HEADER:]
        members = gzip.compress(payload[:7]) + gzip.compress(payload[7:])
        assert [r.value for r in reader(with_payload(plain, members, 1))] == [b"x" * 1000]

    @pytest.mark.parametrize(("magic", "codec"), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)])
    def test_the_formats_before_kafka_0_11(self, magic: int, codec: int) -> None:
        builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
        for offset in range(3):
            builder.append(offset, timestamp=9, key=None, value=b"v")
        raw = bytes(builder.build())
        if codec:
            raw = struct.pack(">q", 2) + raw[8:]  # the broker gives what is compressed the offset of its last record
        assert offsets(reader(raw + batch([b"x"], 3))) == [0, 1, 2, 3]


def broken_record() -> bytes:
    """The third record says it is longer than it is."""
    at = SOUND.index(b"c2")
    return patched(SOUND, at - 1, b"\x7e")


def repeated_offset() -> bytes:
    """The fourth record says it is the third."""
    at = SOUND.index(b"c3")
    return patched(SOUND, at - 4, b"\x04")


DAMAGED = {
    "wrong checksum (CRC)": (patched(SOUND, HEADER + 20, b"\xff", checksum=False), 2),
    "there is no codec 5": (patched(SOUND, 21, b"\x00\x05"), 2),
    "there is no format 9": (patched(SOUND, 16, b"\x09", checksum=False), 2),
    "gzip: ": (with_payload(SOUND, b"not compressed at all", 1), 2),
    "snappy: ": (with_payload(SOUND, b"\x50not compressed at all", 2), 2),
    "lz4: ": (with_payload(SOUND, b"not compressed at all", 3), 2),
    "zstd: ": (with_payload(SOUND, b"not compressed at all", 4), 2),
    "gzip: it ends too early": (with_payload(SOUND, gzip.compress(SOUND[HEADER:])[:-9], 1), 2),
    "decompresses to more than 1,048,576 bytes": (with_payload(SOUND, gzip.compress(bytes(2 * MOST)), 1), 2),
    "zstd: it decompresses to more": (with_payload(SOUND, bytes(cramjam.zstd.compress(bytes(2 * MOST))), 4), 2),
    "lz4: it decompresses to more": (with_payload(SOUND, bytes(cramjam.lz4.compress(bytes(2 * MOST))), 3), 2),
    "snappy: it decompresses to more": (with_payload(SOUND, bytes(cramjam.snappy.compress_raw(bytes(2 * MOST))), 2), 2),
    "Can't read": (broken_record(), 4),
    "unconsumed bytes": (patched(SOUND, 57, struct.pack(">i", 5)), 7),
    "a record has the offset": (repeated_offset(), 5),
}


class TestDamage:
    @pytest.mark.parametrize("reason", DAMAGED)
    def test_what_is_before_and_behind_it_is_read_and_it_is_named(self, reason: str) -> None:
        # Given a batch of offsets 2 to 9 that cannot be read, between two sound ones
        bad, first = DAMAGED[reason]

        # When
        records = list(reader(BEFORE + bad + AFTER))

        # Then its records up to the damage are read, and one entry stands for the others
        (found,) = [r for r in records if isinstance(r, Unreadable)]
        assert offsets(records) == [0, 1, *range(2, first), (first, 9), 10, 11]
        assert reason in found.reason and str(first) in str(found)
        assert (found.topic, found.partition, found.value) == ("events", 3, bad)

    @pytest.mark.parametrize("reason", DAMAGED)
    def test_the_position_moves_past_it_exactly(self, reason: str) -> None:
        bad, _ = DAMAGED[reason]
        records = reader(BEFORE + bad, highwater=10)
        list(records)
        assert records.next_fetch_offset == 10

    def test_from_its_middle_on_it_stands_for_the_rest(self) -> None:
        bad, _ = DAMAGED["there is no codec 5"]
        assert offsets(reader(bad + AFTER, start=6)) == [(6, 9), 10, 11]

    def test_what_is_before_the_position_is_not_named_and_moves_nothing(self) -> None:
        bad, _ = DAMAGED["there is no codec 5"]
        records = reader(bad + BEFORE + AFTER, start=10)
        assert offsets(records) == [10, 11] and records.next_fetch_offset == 12
        for passed in (bad, SOUND):
            records = reader(passed, start=10)
            assert offsets(records) == [] and records.next_fetch_offset == 10

    def test_what_the_batch_behind_it_has_is_not_named(self) -> None:
        # Given a broken batch that goes into the next one, as the embedded broker stores a header with too large a count
        assert offsets(reader(DAMAGED["there is no codec 5"][0] + batch([b"x"] * 4, 5), start=5, highwater=9)) == [5, 6, 7, 8]

    def test_bytes_behind_the_last_record_are_said(self, caplog: pytest.LogCaptureFixture) -> None:
        bad = patched(patched(SOUND, 57, struct.pack(">i", 5)), 23, struct.pack(">i", 4))
        assert offsets(reader(bad + AFTER, 2)) == [2, 3, 4, 5, 6, 10, 11]
        assert "events 3: behind offset 6, the last of its batch" in caplog.text

    def test_a_damaged_header_passes_over_nothing_behind_the_batch(self) -> None:
        # Given a batch that says it holds a billion records
        bad = patched(SOUND, 23, struct.pack(">i", 10**9), checksum=False)

        # Then what follows it bounds it, and at the end of the partition that
        assert offsets(reader(bad + AFTER, 2)) == [(2, 9), 10, 11]
        assert offsets(reader(bad, 2, highwater=10)) == [(2, 9)]

    def test_of_a_batch_without_an_end_the_rest_of_the_response_is_kept(self) -> None:
        bad = patched(SOUND, 8, struct.pack(">i", -5), checksum=False)
        records = list(reader(BEFORE + bad + AFTER))
        assert offsets(records) == [0, 1, (2, 9)]
        assert records[-1].value == bad + AFTER

    def test_a_batch_that_is_cut_off_is_read_next_time(self) -> None:
        records = reader(BEFORE + SOUND[:-1])
        assert offsets(records) == [0, 1]
        assert records.next_fetch_offset == 2

    def test_of_a_large_one_the_beginning_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fetching, "MAX_KEPT", 100)
        found = unreadable(DAMAGED["there is no codec 5"][0])
        assert found.value == DAMAGED["there is no codec 5"][0][:100]
        assert "the first 100 are kept" in found.reason

    def test_a_time_that_cannot_be_is_none(self) -> None:
        assert unreadable(patched(patched(SOUND, 35, b"\x7f" * 8), 21, b"\x00\x05")).timestamp == 0

    def test_it_is_skipped_with_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        bad, _ = DAMAGED["there is no codec 5"]
        assert offsets(reader(BEFORE + bad + AFTER, on_unreadable=skip)) == [0, 1, 10, 11]
        assert "events 3: offsets 2 to 9 cannot be read (there is no codec 5)" in caplog.text

    def test_a_reader_may_refuse_it(self) -> None:
        def refuse(batch: Unreadable) -> bool:
            raise RuntimeError(str(batch))

        records = iter(reader(BEFORE + DAMAGED["there is no codec 5"][0], on_unreadable=refuse))
        assert offsets([next(records), next(records)]) == [0, 1]
        with pytest.raises(RuntimeError, match="offsets 2 to 9"):
            next(records)

    @given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4), st.sampled_from([*CODECS]))
    def test_whatever_happens_to_its_content_each_offset_is_a_record_or_named_once(self, flips: Any, codec: str) -> None:
        # Given a batch of which some bytes behind the checksum have changed, and the checksum with them
        sound = batch([b"value %d" % n for n in range(8)], 2, codec=codec)
        bad = sound
        for at, new in flips:
            bad = patched(bad, HEADER + at % (len(sound) - HEADER), bytes([new]))

        # When
        records = reader(BEFORE + bad + AFTER)
        read = offsets(records)

        # Then
        spread = [o for r in read for o in (range(r[0], r[1] + 1) if isinstance(r, tuple) else [r])]
        assert spread == sorted(set(spread)) and spread[:2] == [0, 1] and spread[-2:] == [10, 11]
        assert records.next_fetch_offset == 12
        if any(isinstance(r, tuple) for r in read):
            assert max(o for o in spread if o < 10) == 9


class TestTransactions:
    def records(self, base: int, producer: int, *, transactional: bool = True, control: bytes | None = None) -> bytes:
        builder = DefaultRecordBatchBuilder(2, 0, int(transactional), producer, 0, 0, 1 << 20)
        builder.append(0, timestamp=0, key=control or b"k", value=b"v", headers=[])
        raw = struct.pack(">q", base) + bytes(builder.build())[8:]
        return raw if control is None else patched(raw, 21, struct.pack(">h", 0x30))

    def test_aborted_records_and_markers_are_not_seen(self) -> None:
        abort, commit = struct.pack(">hh", 0, 0), struct.pack(">hh", 0, 1)
        log = [self.records(0, 7), self.records(1, 8), self.records(2, 7, control=abort), self.records(3, 8, control=commit),
               self.records(4, 7), self.records(5, 7, control=commit)]  # fmt: skip
        records = reader(b"".join(log), aborted=[(7, 0)])
        assert offsets(records) == [1, 4] and records.next_fetch_offset == 6

    def test_a_marker_that_cannot_be_read_ends_its_transaction_all_the_same(self) -> None:
        marker = patched(self.records(1, 7, control=struct.pack(">hh", 0, 0)), HEADER + 3, b"\xff", checksum=False)
        assert offsets(reader(self.records(0, 7) + marker + self.records(2, 7), aborted=[(7, 0)])) == [(1, 1), 2]

    def test_what_compaction_has_removed_is_passed_over(self) -> None:
        # Given a batch of offsets 2 to 9 whose last records are gone
        raw = patched(batch([b"c"], 2), 23, struct.pack(">i", 7))
        records = reader(BEFORE + raw)
        assert offsets(records) == [0, 1, 2] and records.next_fetch_offset == 10
