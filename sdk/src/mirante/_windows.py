"""A stream's chunks on their way through the output rails."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from mirante import _pii
from mirante._guard import Call, Steps
from mirante._reading import StreamReading, replaced
from mirante.rails import PASS

_CUT = re.compile(r"\s+|[\u2e80-\U0010ffff]")
"""Where a stream may be cut: after blanks, and in scripts that have none between words."""
_MOST_CUTS = 4


class StreamGuard:
    """A stream's chunks on their way through the output rails.

    Text is held back until the rails have seen as far beyond it as they must; with a rail that
    needs the whole text, until the end.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self._reader = StreamReading()
        self._windows: dict[Any, _Window] = {}
        self._templates: dict[Any, Any] = {}
        self._reaches = [rail.reach for rail in call.output_rails]
        self._first: Any = None
        self.finished = False
        for rail in call.output_rails:
            call.note(rail.name, "output", PASS)

    def feed(self, chunk: Any) -> Steps[list[Any]]:
        """The chunks to hand on. When ``call.refusal`` is set afterwards the stream is at its
        end."""
        try:
            self._reader.feed(chunk)
            deltas = self._reader.deltas(chunk)
        except Exception as error:  # noqa: BLE001 - ours
            self.call.core.publisher.error("a chunk can not be read", error)
            self.call.fail_closed(self.call.output_rails, "output")
            return [] if self.call.refusal else [chunk]
        if self._first is None:
            self._first = chunk
        if deltas and self.call.ttft is None:
            self.call.ttft = time.monotonic()
        self.call.reading = self._reader.reading
        if not self._reaches:
            for slot in deltas:
                self._templates[slot] = chunk
            return [chunk]
        try:
            return (yield from self._passed(chunk, deltas))
        except Exception as error:  # noqa: BLE001 - ours
            self.call.core.publisher.error("a chunk can not be checked", error)
            self.call.fail_closed(self.call.output_rails, "output")
            return [] if self.call.refusal else [chunk]

    def _passed(self, chunk: Any, deltas: dict[Any, str]) -> Steps[list[Any]]:
        out: list[Any] = []
        released: dict[Any, str] = {}
        for slot, text in deltas.items():
            window = self._windows.setdefault(slot, _Window(self.call, self._reaches))
            self._templates[slot] = chunk
            released[slot] = yield from window.add(text)
            if self.call.refusal:
                return out
        for slot in self._reader.ends(chunk):
            held = self._windows.get(slot)
            rest = (yield from held.finish()) if held else ""
            if self.call.refusal:
                return out
            if slot in released:
                released[slot] += rest
            elif rest:
                out.append(self._reader.with_deltas(self._templates[slot], {slot: rest}))
        if not deltas:
            out.append(self._rewritten(chunk))
        elif any(released.values()) or not self._reader.without(chunk):
            out.append(self._reader.with_deltas(chunk, released))
        return out

    def _rewritten(self, chunk: Any) -> Any:
        """Chunks that repeat a whole text repeat it as it was let through."""
        said = self._reader.said()
        for slot, window in self._windows.items():
            if window.changed and slot in said:
                chunk = replaced(chunk, said[slot], window.said)
        return chunk

    def finish(self) -> Steps[list[Any]]:
        """The provider has no more. Publishes the response; the last chunks to hand on."""
        call = self.call
        call.answered = time.monotonic()
        out: list[Any] = []
        try:
            for slot, window in self._windows.items():
                rest = yield from window.finish()
                if call.refusal:
                    break
                if rest:
                    out.append(self._reader.with_deltas(self._templates[slot], {slot: rest}))
        except Exception as error:  # noqa: BLE001 - ours
            call.core.publisher.error("the end of a stream can not be checked", error)
            call.fail_closed(call.output_rails, "output")
        self.settle()
        call.publish_response()
        self.finished = True
        return out

    def settle(self) -> None:
        """What has been read becomes what the call says."""
        call = self.call
        try:
            call.reading = self._reader.result()
        except Exception as error:  # noqa: BLE001 - ours
            call.core.publisher.error("a stream can not be read", error)
        if any(window.changed for window in self._windows.values()) and call.refusal is None:
            call.logged_output = "".join(window.said for window in self._windows.values())
        elif call.refusal is not None and call.logged_output is not None and call.reading.output:
            call.logged_output = _pii.mask(call.reading.output)[0]

    def stopped(self) -> None:
        """A rail has blocked, the stream is at its end."""
        self.call.answered = time.monotonic()
        self.settle()
        self.call.publish_response()
        self.finished = True

    def abandoned(self) -> None:
        """The caller takes no more. An answer whose end was reached all the same is complete."""
        if self.finished:
            return
        self.finished = True
        self.settle()
        self.call.answered = time.monotonic()
        if self.call.reading.finish_reason:
            self.call.publish_response()
        else:
            self.call.cancelled()

    def failed(self, error: BaseException) -> str | None:
        self.finished = True
        self.settle()
        return self.call.failed(error)

    def timed_out(self) -> None:
        self.finished = True
        self.settle()
        self.call.timed_out()

    def last_text_chunk(self) -> Any:
        """A chunk that carried text, None before the first."""
        return next(reversed(self._templates.values()), None)

    @property
    def given(self) -> str:
        """The text that the caller has been given, of the last of several."""
        if not self._templates:
            return ""
        slot = next(reversed(self._templates))
        if slot in self._windows:
            return self._windows[slot].said
        return self._reader.said().get(slot, "")


class _Window:
    """The part of one text that is held back.

    It is kept as it came: what looks like a finding at its end may go on. A beginning is let go
    when the rails say of it and of the rest, each for itself, what they say of both together.
    """

    def __init__(self, call: Call, reaches: Sequence[int | None]) -> None:
        self._call = call
        self._reach = None if None in reaches else max(r for r in reaches if r is not None)
        self._due = 2 * (self._reach or 0)
        self._held = ""
        self._given: list[str] = []
        self.changed = False

    @property
    def said(self) -> str:
        """What has been let go."""
        return "".join(self._given)

    def add(self, text: str) -> Steps[str]:
        """More of the text has come; what can be let go."""
        self._held += text
        if self._reach is None or len(self._held) < self._due:
            return ""
        held = self._held
        self._due = len(held) + self._reach
        whole = yield from self._call.check_text(held)
        limit = len(held) - self._reach
        for cut in reversed([end.end() for end in _CUT.finditer(held, 0, limit)][-_MOST_CUTS:]):
            if whole is None:
                break
            left = yield from self._call.check_text(held[:cut])
            right = yield from self._call.check_text(held[cut:])
            if left is not None and right is not None and left + right == whole:
                self._held, self._due = held[cut:], len(held) - cut + self._reach
                return self._give(held[:cut], left)
        return ""

    def finish(self) -> Steps[str]:
        """There is no more of it; what is left."""
        held, self._held = self._held, ""
        new = (yield from self._call.check_text(held)) if held else ""
        return "" if new is None else self._give(held, new)

    def _give(self, held: str, new: str) -> str:
        self.changed = self.changed or new != held
        self._given.append(new)
        return new
