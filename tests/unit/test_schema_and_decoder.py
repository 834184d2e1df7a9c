"""The published JSON Schema accepts an event exactly if the decoder does: generated from the
schema, and mutated away from it.

The schema is judged by `jsonschema`, on what the standard library reads. The generator below knows
JSON Schema and nothing of the decoder.
"""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decoding import decode_with_unknown
from schemas.documents import json_schema
from schemas.events import EVENT_KINDS, EventError

SCHEMAS = {kind: json_schema(kind) for kind in EVENT_KINDS}
STRICT = {kind: json_schema(kind, strict=True) for kind in EVENT_KINDS}
VALID = {kind: jsonschema.Draft202012Validator(schema).is_valid for kind, schema in SCHEMAS.items()}
VALID_STRICTLY = {
    kind: jsonschema.Draft202012Validator(schema).is_valid for kind, schema in STRICT.items()
}

LITERALS = (
    "1e400",
    "-1E400",
    "-0",
    "-0.0",
    "1E3",
    "1000.0",
    "1e-400",
    "9" * 30,
    "9" * 320,
    "9" * 5000,
    '"\\ud83d"',
    '"\\udc00x"',
    '"\\u0000"',
)
"""Values that are JSON by its grammar and that no Python value is written as."""

MARK = "a literal: "

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(LITERALS).map(MARK.__add__),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
DEEP = st.integers(90, 300).map(lambda levels: json.loads("[" * levels + "]" * levels))


def written(event: Any) -> bytes:
    """`event` as JSON text: half surrogates as escapes, marked literals as they are."""
    text = json.dumps(event)
    for literal in LITERALS:
        text = text.replace(json.dumps(MARK + literal), literal)
    return text.encode()


def values(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that `schema` accepts; as far as it is made of what the published schemas are made of."""
    if "$ref" in schema:
        return values(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "properties" in schema:
        return objects(schema, root)
    if "anyOf" in schema:
        return st.one_of([values(branch, root) for branch in schema["anyOf"]])
    least, most = schema.get("minimum"), schema.get("maximum")
    match schema.get("type"):
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"].removesuffix("$"), fullmatch=True)
        case "string":
            lengths = {
                "min_size": schema.get("minLength", 0),
                "max_size": min(schema.get("maxLength", 9), 9),
            }
            return st.text(st.characters(), **lengths)
        case "integer":
            return st.integers(least, most) | st.integers(least, min(most, 10**6)).map(float)
        case "number":
            return st.floats(least, most) | st.sampled_from([0, 1])
        case "array":
            return st.lists(values(schema.get("items", {}), root), max_size=3)
        case "object":
            return st.dictionaries(st.text(st.characters(), max_size=4), ANY_JSON, max_size=3)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case _:
            return ANY_JSON | DEEP


def objects(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    fields = {name: values(inner, root) for name, inner in schema["properties"].items()}
    known = st.fixed_dictionaries(
        {name: value for name, value in fields.items() if name in required},
        optional={name: value for name, value in fields.items() if name not in required},
    )
    unknown = st.dictionaries(st.text(st.characters(), max_size=5), ANY_JSON, max_size=2)
    return st.tuples(unknown, known).map(lambda pair: {**pair[0], **pair[1]})


EVENTS = {kind: objects(schema, schema) for kind, schema in SCHEMAS.items()}
RIGHT_EVENTS = {kind: objects(schema, schema) for kind, schema in STRICT.items()}


def is_accepted(kind: str, value: bytes) -> bool:
    try:
        decode_with_unknown(kind, value)
    except EventError:
        return False
    return True


@pytest.mark.parametrize("kind", EVENT_KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_the_schema_accepts_the_decoder_accepts(kind: str, data: st.DataObject) -> None:
    value = written(data.draw(EVENTS[kind]))
    assert is_accepted(kind, value) == VALID[kind](json.loads(value, parse_int=number)), value


@pytest.mark.parametrize("kind", EVENT_KINDS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_the_strict_schema_accepts_has_no_odd_field_but_for_half_surrogates(
    kind: str, data: st.DataObject
) -> None:
    value = written(data.draw(RIGHT_EVENTS[kind]))
    if not VALID_STRICTLY[kind](json.loads(value, parse_int=number)):
        return  # the rules that span fields: a rating has a value
    _, extra = decode_with_unknown(kind, value)
    if extra is not None and extra.odd_fields:
        assert b"\\ud" in value or b"9" * 320 in value or b"e400" in value.lower(), (
            extra.odd_fields,
            value,
        )


@pytest.mark.parametrize("kind", EVENT_KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_event_with_any_field_changed_is_accepted_by_both_or_by_neither(
    kind: str, data: st.DataObject
) -> None:
    event = data.draw(RIGHT_EVENTS[kind])
    for name in data.draw(
        st.lists(st.sampled_from(sorted(SCHEMAS[kind]["properties"])), min_size=1, max_size=3)
    ):
        match data.draw(st.sampled_from(("drop", "replace", "near", "twice"))):
            case "drop":
                event.pop(name, None)
            case "replace":
                event[name] = data.draw(ANY_JSON | DEEP)
            case "near":
                event[name] = data.draw(
                    st.sampled_from(
                        (
                            None,
                            "",
                            "x" * 256,
                            "x" * 257,
                            "x" * 512,
                            "x" * 513,
                            0,
                            1,
                            -1,
                            1.0,
                            1.5,
                            True,
                            {},
                            [],
                        )
                    )
                )
            case "twice" if name in event:
                event = {f"{MARK}twice {name}": data.draw(ANY_JSON), **event}
    value = written(event)
    for name in SCHEMAS[kind]["properties"]:  # a key that occurs twice: the last one wins
        value = value.replace(json.dumps(f"{MARK}twice {name}").encode(), json.dumps(name).encode())
    assert is_accepted(kind, value) == VALID[kind](json.loads(value, parse_int=number)), value


@pytest.mark.parametrize("value", ["null", "[]", '"{}"', "5", "true", "{}", '[{"event_id": "e"}]'])
def test_what_is_no_event_at_all_is_accepted_by_neither(value: str) -> None:
    for kind in EVENT_KINDS:
        assert not is_accepted(kind, value.encode())
        assert not VALID[kind](json.loads(value))


def number(digits: str) -> int | float:
    """Python reads no integers of thousands of digits."""
    return int(digits) if len(digits) < 4000 else float(digits)
