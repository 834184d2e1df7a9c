"""What a Kafka value is when it is not the plain JSON that an event is: in a frame, in another
encoding or format.

`unframed` takes off what carries JSON unchanged. `recognised` names the rest, and says what to do.
Signatures are those of the formats' own descriptions: the Unicode FAQ (byte order marks), RFC 1950
and 1952 (zlib, gzip), RFC 8878 (zstd), the LZ4 and Snappy frame formats, Confluent's and AWS Glue's
wire formats, RFC 8949 (CBOR), the MessagePack specification.
"""

import codecs
import re
from typing import Any

import msgspec

_JSON_START = b'{["'
_WHITE = b" \t\r\n"

_PUBLISH_UTF8 = "publish JSON in UTF-8"
_COMPRESSED = "publish the JSON itself and let the Kafka producer compress (compression.type)"

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, f"UTF-32 text (little endian), not UTF-8: {_PUBLISH_UTF8}"),
    (codecs.BOM_UTF32_BE, f"UTF-32 text (big endian), not UTF-8: {_PUBLISH_UTF8}"),
    (codecs.BOM_UTF16_LE, f"UTF-16 text (little endian), not UTF-8: {_PUBLISH_UTF8}"),
    (codecs.BOM_UTF16_BE, f"UTF-16 text (big endian), not UTF-8: {_PUBLISH_UTF8}"),
    (b"\x1f\x8b", f"gzip-compressed data: {_COMPRESSED}"),
    (b"\x28\xb5\x2f\xfd", f"zstd-compressed data: {_COMPRESSED}"),
    (b"\x04\x22\x4d\x18", f"lz4-compressed data: {_COMPRESSED}"),
    (b"\xff\x06\x00\x00sNaPpY", f"snappy-compressed data: {_COMPRESSED}"),
    (b"\x82SNAPPY\x00", f"snappy-compressed data: {_COMPRESSED}"),
    (b"BZh", f"bzip2-compressed data: {_COMPRESSED}"),
    (b"\xfd7zXZ\x00", f"xz-compressed data: {_COMPRESSED}"),
    (b"PK\x03\x04", "a ZIP archive: publish the JSON itself"),
    (b"Obj\x01", "an Avro file: publish JSON, one event per record"),
    (b"PAR1", "a Parquet file: publish JSON, one event per record"),
    (b"\xac\xed\x00\x05", "a serialized Java object: publish JSON (a JSON or string serializer)"),
    (b":)\n", f"Smile (binary JSON): {_PUBLISH_UTF8}"),
    (b"eyJ", f"base64 of JSON: {_PUBLISH_UTF8} itself"),
    (b"{'", "not JSON but Python's notation of a dict: publish json.dumps(event)"),
)

_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_PICKLE = re.compile(rb"\x80[\x02-\x05].*\.\Z", re.DOTALL)
_MARKUP = re.compile(rb"\s*<(?P<html>!doctype html|html|head|body)?", re.IGNORECASE)
_CONFLUENT, _CONFLUENT_GUID, _GLUE = 0x00, 0x01, 0x03
_FRAMES = (b"\x00", b"\x01", b"\x03", codecs.BOM_UTF8[:1])
"""First bytes of what is taken off, once."""


def _frame(value: bytes) -> tuple[str, int] | None:
    """A schema registry's frame that `value` may begin with: its name and length."""
    if value[0] == _CONFLUENT and len(value) > 5:
        return (
            f"Confluent Schema Registry framing (schema id {int.from_bytes(value[1:5], 'big')})",
            5,
        )
    if value[0] == _CONFLUENT_GUID and len(value) > 17:
        return f"Confluent Schema Registry framing (schema {value[1:17].hex()})", 17
    if value[0] == _GLUE and len(value) > 18 and value[1] in (0, 5):
        return f"AWS Glue Schema Registry framing (schema version {value[2:18].hex()})", 18
    return None


def unframed(value: bytes) -> bytes | None:
    """The JSON in `value` behind a byte order mark or a schema registry's frame; None if there is
    neither."""
    content, frame = value, _frame(value)
    if frame is not None:
        content = content[frame[1] :]
    if content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]
    if (
        content is value
        or content[:1] in _FRAMES
        or (frame is not None and not content.lstrip(_WHITE).startswith(b"{"))
    ):
        return None
    return content


def recognised(value: bytes) -> str | None:
    """What `value`, which is not JSON, is instead, and what to do; None if it cannot be told. Not
    for empty values."""
    for signature, name in _SIGNATURES:
        if value.startswith(signature):
            return name
    if value[:2] == b"{\x00" or value[:2] == b"\x00{":
        order = "little endian" if value[0] else "big endian"
        return (
            f"UTF-{32 if value[2:4] == bytes(2) else 16} text ({order}), not UTF-8: {_PUBLISH_UTF8}"
        )
    if value[:4] == b"\x00\x00\x00{":
        return f"UTF-32 text (big endian), not UTF-8: {_PUBLISH_UTF8}"
    if _ZLIB.match(value):
        return f"zlib-compressed data: {_COMPRESSED}"
    if (frame := _frame(value)) is not None:
        return f"{frame[0]} around what is no JSON (Avro or Protobuf?): publish JSON, framed or not"
    if markup := _MARKUP.match(value):
        return f"{'HTML' if markup['html'] else 'XML or HTML'}, not JSON: an error page of a proxy?"
    if _PICKLE.match(value):
        return "a pickled Python object: publish json.dumps(event)"
    if value[0] & 0xF0 == 0x80 or value[0] in (0xDE, 0xDF):
        try:
            if isinstance(msgspec.msgpack.decode(value), dict):
                return f"MessagePack, not JSON: {_PUBLISH_UTF8}"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, ValueError):
            return None
    if value[0] & 0xE0 == 0xA0 or value[:3] == b"\xd9\xd9\xf7":
        return f"perhaps CBOR, not JSON: {_PUBLISH_UTF8}"
    if value[0] == 0x0A and len(value) > 1 and value[1] not in _JSON_START + _WHITE:
        return f"perhaps Protobuf, not JSON: {_PUBLISH_UTF8}"
    return None


def not_an_object(found: Any) -> str:
    """Why JSON that is no object is no event."""
    if isinstance(found, list):
        return "expected object, got array: publish one event per record"
    if isinstance(found, str):
        if found.lstrip().startswith(("{", "[")):
            return "expected object, got str that holds JSON (encoded twice): publish the object"
        if found.startswith("eyJ"):
            return "expected object, got str that holds base64 of JSON: publish the object"
        return "expected object, got str"
    if found is None:
        return "expected object, got null"
    return f"expected object, got {type(found).__name__}"


_INNER = ("data", "payload", "value", "event", "message", "body", "record", "detail")


def envelope(tree: dict[str, Any]) -> str | None:
    """What `tree`, an object without the fields of an event, carries an event in; None if it does
    not."""
    if "specversion" in tree:
        return "a CloudEvents envelope: publish its data as the value (binary mode, ce_ headers)"
    if "payload" in tree and "schema" in tree:
        return "a Kafka Connect envelope: set value.converter.schemas.enable=false"
    for name in _INNER:
        if isinstance(inner := tree.get(name), dict) and "event_id" in inner:
            return f"the event is inside of the field {name}: publish it as the value itself"
    return None
