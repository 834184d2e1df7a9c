"""States that earlier versions wrote, in the shape of today's.

What an event says beyond its Struct was once kept as the JSON text of these fields alone. All other
changes to what is saved have added fields at the end, which msgspec reads by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


def reader(type: type[S]) -> Callable[[bytes], S]:
    """Decodes pieces of state. ``type``: has ``requests`` and ``responses``, each entry's second field an Extra."""
    decode = msgspec.msgpack.Decoder(type).decode
    joined = [at for at, name in enumerate(type.__struct_fields__) if name in ("requests", "responses")]

    def read(piece: bytes) -> S:
        try:
            return decode(piece)
        except msgspec.ValidationError:
            fields: list[Any] = msgspec.msgpack.decode(piece)
            former = [entry for at in joined for entries in fields[at : at + 1] for entry in entries if isinstance(entry[1], bytes)]
            if not former:
                raise
            for entry in former:
                entry[1] = [entry[1]]
            return msgspec.convert(fields, type)

    return read
