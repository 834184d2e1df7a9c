"""How bytes become one of the four events, or a reason why not.

The usual event takes one pass: decoded, validated and made in C. Whatever that pass refuses is read
again as a tree of JSON, and only there is anything looked for: a frame around the JSON, fields this
version does not know, and optional fields whose value makes no sense. None of those costs the
event: unknown fields and odd values are kept in its :class:`schemas.events.Extra`, which also names
the odd fields. A bad *required* field does cost it, as does what is no JSON: an `EventError` with
the reason.

Types are strict (no numbers in strings), but a whole number may be written `1000.0`. When a key
occurs twice in an object the last one wins, as in nearly every JSON reader. Integers beyond 64 bits
in free-form JSON (`params`, tool arguments, ...) become floats. `NaN` and `Infinity`, which Python
writes, are odd values and not the end of the event. So is what nests deeper than MAX_DEPTH.
"""

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from schemas.depth import MAX_DEPTH, too_deep, without_depth
from schemas.events import (
    VALUED_KINDS,
    Evaluation,
    Event,
    EventError,
    Extra,
    Feedback,
    Request,
    Response,
    Usage,
)
from schemas.formats import not_an_object, unframed
from schemas.reasons import UNKNOWN, field_of, not_json, of_field
from schemas.repair import GONE, Fields, OddFields, fields_of, kept, merged, repair, scrub, take_unknown
from schemas.usage import Normalised, normalise

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Largest event accepted, in bytes. Kafka's own default is 1 MB; base64 images in messages need
more."""

E = TypeVar("E", Request, Response, Feedback, Evaluation)

_LEVELS_ABOVE = 4
"""How many levels of an event are above its free-form parts, at most: the event, its messages, one
of them, its field."""

_SHALLOW = MAX_DEPTH - _LEVELS_ABOVE
"""Bytes of MessagePack. Every level takes one, so what is short is not deep, and most of it is
short."""

_OBJECT = ord("{")
_BAD_INPUT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_any = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode


def _number(digits: str) -> int | float:
    return (
        int(digits) if len(digits) < 400 else float(digits)
    )  # Python refuses to read thousands of digits


# What JSON's grammar allows and msgspec does not, and the three numbers that Python writes though
# the grammar forbids them.
_lenient = json.JSONDecoder(parse_int=_number, parse_constant=lambda name: math.inf).decode


def read_tree(value: bytes) -> tuple[Any, bool]:
    """The JSON in `value`, and whether it may hold what cannot be written again: half surrogates
    and infinite numbers."""
    deep = too_deep(value)
    if not deep:
        try:
            return _decode_any(value), False
        except _BAD_INPUT:
            pass
    try:
        return _lenient((without_depth(value) if deep else value).decode()), True
    except (ValueError, RecursionError) as error:
        raise EventError(not_json(value)) from error


def _is_writable(tree: object) -> bool:
    """Whether all integers in it have at most 64 bits. MessagePack can hold no others, and encoding
    is the fastest look."""
    try:
        _pack(tree)
    except OverflowError:
        return False
    return True


def _decoder(
    struct: type[E],
    free_form: Callable[[E], object],
    otherwise: Callable[[bytes, Exception], tuple[E, Extra | None] | None] | None = None,
) -> Callable[[bytes | None], tuple[E, Extra | None]]:
    """The decoder of one kind.

    `free_form` gives the parts of an event that are untyped JSON, where alone depth and numbers
    have no bounds; false when there are none. They stand at most `_LEVELS_ABOVE` levels deep in the
    event. `otherwise` is tried on what the typed decoder refuses with an error, before the event is
    read with care.
    """
    typed = msgspec.json.Decoder(struct).decode
    fields = fields_of(struct)

    def decode_one(value: bytes | None) -> tuple[E, Extra | None]:
        if not value:
            raise EventError("empty value")
        if len(value) > MAX_EVENT_BYTES:
            raise EventError(f"{len(value) / 1e6:.1f} MB is more than the 16 MiB an event may have")
        try:
            event = typed(value)
            if parts := free_form(event):
                packed = _pack(parts)
                if len(packed) > _SHALLOW and too_deep(value):
                    return _with_care(value, None, struct, fields, free_form)
        except (*_BAD_INPUT, OverflowError) as error:
            if otherwise is not None and (read := otherwise(value, error)) is not None:
                return read
            if value[0] != _OBJECT and (content := unframed(value)) is not None:
                return decode_one(content)
            return _with_care(value, error, struct, fields, free_form)
        return event, None

    return decode_one


class _OtherUsage(Response):
    """A response whose usage is in another shape than ours."""

    usage: Any = None


_decode_other_usage = msgspec.json.Decoder(_OtherUsage).decode


def _with_other_usage(value: bytes, error: Exception) -> tuple[Response, Extra | None] | None:
    """The response in `value`, if nothing but the shape of its usage keeps the typed decoder from
    reading it.

    Many services send every event so, which is why it has a way of its own.
    """
    if "`$.usage" not in str(error):
        return None
    try:
        event = _decode_other_usage(value)
        if not isinstance(event.usage, dict):
            return None
        usage = normalise(event.usage)
        if usage.odd:
            return None
        # What is in no table may be as deep, and its numbers as large, as JSON allows.
        if (
            (usage.rest or event.tool_calls)
            and len(_pack((usage.rest, event.tool_calls))) > _SHALLOW
            and too_deep(value)
        ):
            return None
    except (*_BAD_INPUT, OverflowError):
        return None
    said = msgspec.structs.asdict(event)
    said["usage"] = Usage(**usage.counts, requests={**usage.requests} or None)
    if event.service_tier is None:
        said["service_tier"] = usage.service_tier
    if event.region is None:
        said["region"] = usage.region
    if not usage.rest and not usage.not_understood:
        return Response(**said), None
    text = msgspec.json.encode({"usage": usage.rest}) if usage.rest else None
    return Response(**said), Extra(text, [], usage.not_understood)


def _with_care(
    value: bytes,
    error: Exception | None,
    struct: type[E],
    fields: Fields,
    free_form: Callable[[E], object],
) -> tuple[E, Extra | None]:
    """The event in `value`, which the typed decoder refuses with `error`, and what it says beyond
    its Struct."""
    tree, is_lenient = read_tree(value)
    if not isinstance(tree, dict):
        raise EventError(not_an_object(tree))
    odd = OddFields()
    if is_lenient:
        tree = scrub(tree, fields, odd)
    usage = _usage_of(tree, odd) if struct is Response else None
    event, rest = _read(tree, error, struct, fields, odd)
    if not is_lenient and not _is_writable((free_form(event), rest, usage)):
        odd = OddFields()
        tree = scrub(_decode_any(value), fields, odd)
        usage = _usage_of(tree, odd) if struct is Response else None
        event, rest = _read(tree, error, struct, fields, odd)
    if usage is not None and usage.rest:
        rest["usage"] = {
            key: small
            for key, given in usage.rest.items()
            if (small := kept(given) if key in usage.odd else given) is not GONE
        }
    if not rest and not odd.paths and (usage is None or not usage.not_understood):
        return event, None
    text = msgspec.json.encode(rest) if rest else None
    return event, Extra(text, odd.paths, [] if usage is None else usage.not_understood)


def _usage_of(tree: dict[str, Any], odd: OddFields) -> Normalised | None:
    """Put the usage of a response, in whatever shape it is, into Mirante's; None if there is none."""
    given = tree.get("usage")
    if not isinstance(given, dict):
        return None
    usage = normalise(given)
    tree["usage"] = {**usage.counts, "requests": usage.requests} if usage.requests else usage.counts
    for name, served in (("service_tier", usage.service_tier), ("region", usage.region)):
        if served is not None and tree.get(name) is None:
            tree[name] = served
    for path in usage.odd:
        odd.add(f"usage.{path}")
    return usage


def _read(
    tree: dict[str, Any], error: Exception | None, struct: type[E], fields: Fields, odd: OddFields
) -> tuple[E, dict[str, Any]]:
    """The event in `tree`, and what is no part of it: taken out of the tree as one error after the
    other shows it."""
    rest: dict[str, Any] = {}
    done: set[str] = set()

    def mended(error: Exception) -> bool:
        """Whether the cause of `error` could be taken out of the tree, and had not been."""
        nonlocal rest
        name = field_of(error)
        if name is None or name in done:
            return False
        done.add(name)
        if name == UNKNOWN:
            rest = merged(take_unknown(tree, fields), rest)
        elif name in tree and not _is_required(name, tree, struct, fields):
            rest = merged(rest, repair(tree, name, fields, odd))
        else:
            return False
        return True

    if error is not None:
        mended(error)
    while True:
        try:
            return msgspec.convert(tree, struct), rest
        except msgspec.ValidationError as error:
            if not mended(error):
                raise EventError(of_field(error, rest | tree)) from error


def _is_required(name: str, tree: dict[str, Any], struct: type[E], fields: Fields) -> bool:
    if struct is Feedback and name == "value":
        return tree.get("kind") in VALUED_KINDS
    return fields[name].is_required


def _free_form_of(event: Request) -> list[object]:
    parts: list[object] = [event.params] if event.params else []
    if event.tools or event.output_schema:
        parts += [event.tools, event.output_schema]
    if event.prompt is not None and event.prompt.variables:
        parts.append(event.prompt.variables)
    for message in event.messages or ():
        if message.tool_calls or isinstance(message.content, list):
            parts.append((message.content, message.tool_calls))
    return parts


decode_request_with_unknown = _decoder(Request, _free_form_of)
decode_response_with_unknown = _decoder(Response, lambda event: event.tool_calls, _with_other_usage)
decode_feedback_with_unknown = _decoder(Feedback, lambda event: None)
decode_evaluation_with_unknown = _decoder(Evaluation, lambda event: None)

DECODERS: dict[str, Callable[[bytes | None], tuple[Event, Extra | None]]] = {
    "requests": decode_request_with_unknown,
    "responses": decode_response_with_unknown,
    "feedback": decode_feedback_with_unknown,
    "evaluations": decode_evaluation_with_unknown,
}
"""Kind -> `decode_with_unknown` of that kind, for loops over many events."""


def decode_with_unknown(kind: str, value: bytes | None) -> tuple[Event, Extra | None]:
    """The event of `kind` (a key of EVENT_KINDS) in `value`, and what it says beyond its Struct
    (None in the usual case).

    Raises EventError.
    """
    return DECODERS[kind](value)


def decode(kind: str, value: bytes | None) -> Event:
    """The event of `kind` (a key of EVENT_KINDS) in `value`; EventError says why there is none."""
    return DECODERS[kind](value)[0]


def decode_request(value: bytes | None) -> Request:
    """A request from its bytes. Raises EventError that says what is wrong."""
    return decode_request_with_unknown(value)[0]


def decode_response(value: bytes | None) -> Response:
    """A response from its bytes. Raises EventError that says what is wrong."""
    return decode_response_with_unknown(value)[0]


def decode_feedback(value: bytes | None) -> Feedback:
    """A signal from its bytes. Raises EventError that says what is wrong."""
    return decode_feedback_with_unknown(value)[0]


def decode_evaluation(value: bytes | None) -> Evaluation:
    """An evaluation from its bytes. Raises EventError that says what is wrong."""
    return decode_evaluation_with_unknown(value)[0]
