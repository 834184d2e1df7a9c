"""Reads the messages of detectors, and refuses what could not become an alert."""

from __future__ import annotations

import msgspec

from schemas.findings import Finding, Findings

_LATEST = 250_000_000_000.0
"""In the year 9892: with the longest duration added it is still a date."""
_LONGEST = 366 * 86_400.0


def read_findings(value: bytes | None) -> Findings:
    """The findings of a message. Raises ValueError that says what is wrong."""
    try:
        message = _decode(value or b"")
        for finding in message.findings:
            _check(finding)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise ValueError(f"not a message of findings: {error}") from error
    if message.clock is not None and not _is_moment(message.clock):
        raise ValueError(f"not a message of findings: clock {message.clock} is no moment")
    return message


def _check(finding: Finding) -> None:
    moments = [finding.time, *(finding.window or ()), *([] if finding.since is None else [finding.since])]
    if not all(map(_is_moment, moments)):
        raise ValueError(f"{finding.name} holds a time that is no moment: {moments}")
    if not (0 <= finding.hold <= _LONGEST and 0 <= finding.keep <= _LONGEST):
        raise ValueError(f"{finding.name}: hold {finding.hold} and keep {finding.keep} must be between 0 and a year of seconds")
    msgspec.json.encode(finding.detail)


def _is_moment(seconds: float) -> bool:
    return 0 <= seconds <= _LATEST


_decode = msgspec.msgpack.Decoder(Findings).decode
