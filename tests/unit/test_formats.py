"""Values that carry JSON in a frame are read; values in another format are refused with its name
and what to do.

The samples are made by the formats' own writers where one is installed, else by their descriptions.
"""

import base64
import bz2
import gzip
import json
import lzma
import pickle
import zlib
from typing import Any

import lz4.frame
import msgspec
import pytest
from test_events import MINIMAL, as_bytes, reason

from schemas.decoding import decode_request

EVENT = MINIMAL["requests"]
REQUEST = as_bytes(EVENT)
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    "prefix",
    [
        BOM,
        b"\x00\x00\x00\x00\x11",
        b"\x00\x00\x00\x00\x11" + BOM,
        b"\x01" + bytes(range(16)),
        b"\x03\x00" + bytes(range(16)),
    ],
    ids=["byte order mark", "Confluent schema id", "both", "Confluent schema GUID", "AWS Glue"],
)
def test_json_in_a_frame_is_read(prefix: bytes) -> None:
    assert decode_request(prefix + REQUEST) == decode_request(REQUEST)
    assert decode_request(prefix + b" " + REQUEST) == decode_request(REQUEST)


def test_a_fault_behind_a_frame_is_named_as_without_it() -> None:
    assert (
        reason("requests", BOM + as_bytes(EVENT | {"model": 5})) == "model: expected str, got int"
    )
    assert reason("requests", b"\x00\x00\x00\x00\x11" + REQUEST[:-1]).startswith(
        "not valid JSON: ends too early"
    )
    assert reason("requests", BOM) == "empty value"
    assert reason("requests", BOM * 100_000 + REQUEST).startswith("not valid JSON")


def cbor(event: dict[str, str]) -> bytes:
    """RFC 8949: a map of few pairs of text, each shorter than 256 bytes."""
    return bytes([0xA0 + len(event)]) + b"".join(
        b"\x78" + bytes([len(t)]) + t.encode() for pair in event.items() for t in pair
    )


def protobuf(event: dict[str, str]) -> bytes:
    """Fields 1, 2, ... of text."""
    return b"".join(
        bytes([n << 3 | 2, len(text)]) + text.encode() for n, text in enumerate(event.values(), 1)
    )


def zstd(content: bytes) -> bytes:
    """RFC 8878: a frame of one raw block, shorter than 256 bytes."""
    return (
        b"\x28\xb5\x2f\xfd\x20"
        + bytes([len(content)])
        + (len(content) << 3 | 1).to_bytes(3, "little")
        + content
    )


OTHER_FORMATS: dict[str, tuple[bytes, str]] = {
    "UTF-16 with mark": (json.dumps(EVENT).encode("utf-16"), "UTF-16 text"),
    "UTF-16 LE": (json.dumps(EVENT).encode("utf-16-le"), "UTF-16 text (little endian)"),
    "UTF-16 BE": (json.dumps(EVENT).encode("utf-16-be"), "UTF-16 text (big endian)"),
    "UTF-32 with mark": (json.dumps(EVENT).encode("utf-32"), "UTF-32 text"),
    "UTF-32 LE": (json.dumps(EVENT).encode("utf-32-le"), "UTF-32 text (little endian)"),
    "UTF-32 BE": (json.dumps(EVENT).encode("utf-32-be"), "UTF-32 text (big endian)"),
    "gzip": (gzip.compress(REQUEST), "gzip"),
    "zlib": (zlib.compress(REQUEST), "zlib"),
    "bzip2": (bz2.compress(REQUEST), "bzip2"),
    "xz": (lzma.compress(REQUEST), "xz"),
    "zstd": (zstd(REQUEST), "zstd"),
    "lz4 frame": (lz4.frame.compress(REQUEST), "lz4"),
    "snappy frame": (b"\xff\x06\x00\x00sNaPpY\x01" + REQUEST, "snappy"),
    "xerial snappy": (b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01" + REQUEST, "snappy"),
    "Confluent Avro": (
        b"\x00\x00\x00\x00\x11\x04q1\x30",
        "Confluent Schema Registry framing (schema id 17)",
    ),
    "Glue Avro": (
        b"\x03\x00" + bytes(16) + b"\x04q1",
        "AWS Glue Schema Registry framing (schema version 00",
    ),
    "MessagePack": (msgspec.msgpack.encode(EVENT), "MessagePack"),
    "CBOR": (cbor(EVENT), "CBOR"),
    "Protobuf": (protobuf(EVENT), "Protobuf"),
    "pickle": (pickle.dumps(EVENT), "pickle"),
    "Python's repr": (repr(EVENT).encode(), "json.dumps"),
    "base64": (base64.b64encode(REQUEST), "base64"),
    "HTML": (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "HTML"),
    "XML": (b'<?xml version="1.0"?><event/>', "XML"),
    "JSON lines": (REQUEST + b"\n" + REQUEST, "one event per record"),
    "JSON array": (b"[" + REQUEST + b"," + REQUEST + b"]", "one event per record"),
    "JSON in a JSON string": (json.dumps(json.dumps(EVENT)).encode(), "encoded twice"),
    "base64 in a JSON string": (json.dumps(base64.b64encode(REQUEST).decode()).encode(), "base64"),
}


@pytest.mark.parametrize(("value", "name"), OTHER_FORMATS.values(), ids=OTHER_FORMATS)
def test_another_format_is_named(value: bytes, name: str) -> None:
    assert name in reason("requests", value)


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        (
            {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "data": EVENT},
            "CloudEvents",
        ),
        ({"schema": {"type": "struct"}, "payload": EVENT}, "Kafka Connect"),
        ({"topic": "llm.requests", "value": EVENT}, "inside of the field value"),
        ({"Records": []}, "event_id: required field is missing"),
    ],
)
def test_an_event_inside_of_an_envelope_is_found(tree: dict[str, Any], name: str) -> None:
    assert name in reason("requests", as_bytes(tree))
    assert "required field is missing" in reason("requests", as_bytes(tree))
