"""What is read of an event that its Struct refuses: everything but the optional fields whose value
makes no sense.

An event is a tree of known fields here, as JSON gives it. What a field should be follows from the
Structs alone. What is taken out of the tree is returned in the tree's shape, because it ends in the
column `extra`; the path of each odd field ends in `odd_fields`. A path names known fields and
positions, and unknown fields only if their name is a plain word.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast, get_type_hints

import msgspec

MAX_PATHS = 32
"""Most paths that are named of one event; more are "...": 1,000 bad messages are one mistake."""

MAX_KEPT = 500
"""Longest odd value that is kept, in characters of text or bytes of JSON. Of longer text the
beginning is kept."""

_HALF = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)
GONE: Any = object()
"""Nothing was taken out."""

Fields = dict[str, "Field"]


class Field(NamedTuple):
    """A known field. `inner`: the known fields of the object it holds, or of each in the list it
    holds.

    `is_free`: it holds JSON of any shape. `check` raises msgspec.ValidationError for a value the
    field cannot have.
    """

    is_required: bool
    is_list: bool
    is_free: bool
    inner: Fields | None
    check: Callable[[Any], object]


def fields_of(struct: type[msgspec.Struct]) -> Fields:
    """The known fields of events of type `struct`, by name."""
    hints = get_type_hints(struct, include_extras=True)
    info = cast(msgspec.inspect.StructType, msgspec.inspect.type_info(struct))
    return {field.encode_name: _field(field, hints[field.name]) for field in info.fields}


def _field(field: msgspec.inspect.Field, hint: Any) -> Field:
    kinds = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
    items = [kind.item_type for kind in kinds if isinstance(kind, msgspec.inspect.ListType)]
    objects = [kind for kind in (*kinds, *items) if isinstance(kind, msgspec.inspect.StructType)]
    is_free = any(
        isinstance(kind, msgspec.inspect.AnyType | msgspec.inspect.DictType)
        for kind in (*kinds, *items)
    )
    inner = fields_of(objects[0].cls) if objects else None
    return Field(field.required, bool(items), is_free, inner, _check(hint))


def _check(hint: Any) -> Callable[[Any], object]:
    holder = msgspec.defstruct(
        "Holder", [("value", hint)]
    )  # msgspec prepares a Struct once, any other type at each call
    return lambda value: msgspec.convert({"value": value}, holder)


class OddFields:
    """The paths of odd fields, in the order found, each once and no more than MAX_PATHS."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def add(self, path: str) -> None:
        """Note a path once; beyond ``MAX_PATHS`` only that there are more."""
        if len(self.paths) < MAX_PATHS:
            if path not in self.paths:
                self.paths.append(path)
        elif self.paths[-1] != "...":
            self.paths.append("...")


def take_unknown(tree: dict[str, Any], fields: Fields) -> dict[str, Any]:
    """Remove what `fields` does not know from `tree` and return it, in the same shape; list items
    without any are {}."""
    unknown: dict[str, Any] = {}
    for key in list(tree):
        value = tree[key]
        field = fields.get(key)
        if field is None:
            unknown[key] = tree.pop(key)
        elif field.inner is None:
            continue
        elif isinstance(value, dict):
            if found := take_unknown(value, field.inner):
                unknown[key] = found
        elif isinstance(value, list):
            items = [
                take_unknown(item, field.inner) if isinstance(item, dict) else {} for item in value
            ]
            if any(items):
                unknown[key] = items
    return unknown


def scrub(tree: dict[str, Any], fields: Fields, odd: OddFields, path: str = "") -> dict[str, Any]:
    """`tree` with what cannot be written in every format replaced, in text and in JSON of any
    shape.

    Halves of UTF-16 pairs become U+FFFD, numbers beyond those of 64 bits null: these are odd.
    Integers beyond 64 bits become floats, which is what they are to most readers of JSON. Numbers
    in fields that hold one stay, for `repair`.
    """
    scrubbed: dict[str, Any] = {}
    for key, value in tree.items():
        field = fields.get(key)
        name, is_odd = _clean(key)
        where = path + (key if field is not None or _WORD.fullmatch(key) else "*")
        if field is not None and field.inner is not None and isinstance(value, dict):
            value = scrub(value, field.inner, odd, f"{where}.")
        elif field is not None and field.inner is not None and isinstance(value, list):
            value = [
                _scrub_item(item, field.inner, odd, f"{where}[{i}]") for i, item in enumerate(value)
            ]
        elif field is None or field.is_free or not isinstance(value, int | float):
            value, lost = _clean(value)
            is_odd = is_odd or lost
        if is_odd:
            odd.add(where)
        scrubbed[name] = value
    return scrubbed


def _scrub_item(item: Any, fields: Fields, odd: OddFields, path: str) -> Any:
    if isinstance(item, dict):
        return scrub(item, fields, odd, f"{path}.")
    item, lost = _clean(item)
    if lost:
        odd.add(path)
    return item


def _clean(value: Any) -> tuple[Any, bool]:
    """`value` as it can be written, and whether it lost something."""
    if isinstance(value, str):
        text = _HALF.sub("\ufffd", value) if not value.isascii() else value
        return text, text != value
    if isinstance(value, dict):
        pairs = [(_clean(key), _clean(item)) for key, item in value.items()]
        return {key[0]: item[0] for key, item in pairs}, any(
            key[1] or item[1] for key, item in pairs
        )
    if isinstance(value, list):
        items = [_clean(item) for item in value]
        return [item for item, _ in items], any(is_odd for _, is_odd in items)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        value = float(value) if value.bit_length() < 1024 else math.inf
    if isinstance(value, float) and not math.isfinite(value):
        return None, True
    return value, False


def repair(tree: dict[str, Any], name: str, fields: Fields, odd: OddFields) -> dict[str, Any]:
    """Put what can be read in place of `tree[name]`; the rest is returned, for `merged`."""
    tree[name], rest = _readable(tree[name], fields[name], name, odd)
    return {} if rest is GONE else {name: rest}


def _readable(value: Any, field: Field, path: str, odd: OddFields) -> tuple[Any, Any]:
    """What can be read of `value`, and the rest. A list keeps its length: what is no object becomes
    an empty one.

    Unknown fields stay where they are, see `take_unknown`.
    """
    if value is None:
        return None, GONE
    if field.inner is None:
        return _readable_value(value, field, path, odd)
    if not field.is_list:
        return _readable_object(value, field.inner, path, odd)
    if not isinstance(value, list):
        odd.add(path)
        return None, kept(value)
    pairs = [
        _readable_object(item, field.inner, f"{path}[{i}]", odd) for i, item in enumerate(value)
    ]
    rest = [{} if rest is GONE else rest for _, rest in pairs]
    return [{} if item is None else item for item, _ in pairs], rest if any(rest) else GONE


def _readable_object(value: Any, fields: Fields, path: str, odd: OddFields) -> tuple[Any, Any]:
    if not isinstance(value, dict):
        odd.add(path)
        return None, kept(value)
    found, lost = {}, {}
    for key, item in value.items():
        if (field := fields.get(key)) is None:
            found[key] = item
            continue
        found[key], rest = _readable(item, field, f"{path}.{key}", odd)
        if rest is not GONE:
            lost[key] = rest
    return found, lost or GONE


def _readable_value(value: Any, field: Field, path: str, odd: OddFields) -> tuple[Any, Any]:
    try:
        field.check(value)
        return value, GONE
    except msgspec.ValidationError:
        pass
    if isinstance(value, float) and value.is_integer():  # 1000.0 and 1e3 are the integer 1000
        try:
            field.check(int(value))
            return int(value), GONE
        except msgspec.ValidationError:
            pass
    odd.add(path)
    return None, kept(value)


def kept(value: Any) -> Any:
    """An odd value as it is kept, if it is small."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    value, _ = _clean(value)
    if isinstance(value, str):
        return value if len(value) <= MAX_KEPT else value[:MAX_KEPT] + "…"
    return value if len(msgspec.json.encode(value)) <= MAX_KEPT else GONE


def merged(one: Any, other: Any) -> Any:
    """Two trees of the same shape, of which neither has what the other has."""
    if not one:
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {
            key: merged(one[key], value) if key in one else value for key, value in other.items()
        }
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [merged(*pair) for pair in zip(one, other, strict=True)]
    return other
