"""Prompt versions: does the traffic say which version of its prompt it runs, and is the text the one which that version had before?

The text of a prompt is its system instructions with the variables' values, numbers and masked data left out, so that all calls of one
template have one fingerprint. A version may have several texts (languages, optional paragraphs); what counts as changed is a text that none
of its first calls had and most of its calls now have. A version whose text changes from call to call in other ways (variables that are
not declared) has many fingerprints among its first calls; of such a one nothing is said.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from agents.behaviour.items import Ran
from agents.behaviour.settings import BehaviourSettings
from agents.behaviour.table import Table
from schemas.findings import Finding

STAGE = "behaviour"
LEARN = 50
"""First calls of a version from which its text is learned."""
REPLACED = 0.5
"""Share of a version's calls with another text from which the text was changed; fewer may be a variant that was not among the first."""
VARIANTS = 4
"""Most fingerprints (optional paragraphs, languages) of a version that can be compared."""
BUCKET, BUCKETS = 300, 12
"""Seconds, and how many of them are looked back."""
KEEP = 300.0

_CHANGING = re.compile(r"<[A-Z_]+:\d+>|\d+(?:[.,:/-]\d+)*|\s+")
_SHOWN = 5
_REMEMBERED = 16_384
"""Longest text, in characters, whose fingerprint is remembered."""


def template_of(text: str, variables: Mapping[str, Any] | None) -> int | None:
    """Fingerprint of a prompt's text, 63 bits; None without text. ``variables``: their values are left out where they stand."""
    if not text:
        return None
    values = {str(value) for value in (variables or {}).values() if isinstance(value, str | int | float)}
    for value in sorted(values, key=lambda v: (-len(v), v)):
        if len(value) > 1 and value in text:
            text = _without(text, value)
    return _fingerprint(text) if len(text) <= _REMEMBERED else _fingerprint.__wrapped__(text)


def _without(text: str, value: str) -> str:
    """The text without a value where it is not a part of a longer word."""
    parts, begin, at = [], 0, text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (text[at - 1 : at].isalnum() and value[0].isalnum()) and not (text[end : end + 1].isalnum() and value[-1].isalnum()):
            parts.append(text[begin:at])
            begin = end
        at = text.find(value, end)
    return "{}".join([*parts, text[begin:]])


@lru_cache(1_024)
def _fingerprint(text: str) -> int:
    """Most calls of a feature have the same text."""
    left = _CHANGING.sub(" ", text).strip()
    return int.from_bytes(hashlib.blake2b(left.encode("utf-8", "replace"), digest_size=8).digest(), "big") >> 1


class FaultShare(msgspec.Struct, array_like=True, gc=False):
    """How many of the last hour's calls have a fault. ``buckets``: (start, calls, faults), oldest first."""

    buckets: list[tuple[int, int, int]] = []
    shown: list[str] = []
    """Responses of the latest faults."""
    since: float = 0.0
    """Event time of the first fault of this episode; 0: it is not told."""

    def add(self, time: float, fault: bool, response_id: str) -> None:
        """Count a call that came at ``time`` (epoch seconds), as faulty or not."""
        start = int(time) // BUCKET * BUCKET
        last = self.buckets[-1] if self.buckets else (0, 0, 0)
        if last[0] >= start:  # what is late counts where we are
            self.buckets[-1] = (last[0], last[1] + 1, last[2] + fault)
        else:
            self.buckets.append((start, 1, int(fault)))
        if fault:
            self.shown = [*self.shown[1 - _SHOWN :], response_id]

    def faults(self, now: float) -> tuple[int, int]:
        """(calls, faults) of the last hour."""
        self.buckets = [b for b in self.buckets if b[0] > now - BUCKET * BUCKETS]
        return sum(b[1] for b in self.buckets), sum(b[2] for b in self.buckets)


class Version(msgspec.Struct, array_like=True, gc=False):
    """One prompt version of a feature. ``templates``: the fingerprints of its first ``learned`` calls."""

    foreign: FaultShare
    templates: list[int] = []
    learned: int = 0


class Feature(msgspec.Struct, array_like=True, gc=False):
    """A feature's calls without a SHA. ``versioned``: some had one."""

    missing: FaultShare
    versioned: bool = False


VersionKey = tuple[str, str, str, str]
"""Tenant, feature, prompt name, SHA."""
FeatureKey = tuple[str, str]


class Prompts:
    """Of one partition. A condition is looked at when its series has a call, and while it holds whenever time passes."""

    def __init__(self, settings: BehaviourSettings) -> None:
        self._settings = settings
        self.versions: Table[VersionKey, Version] = Table(settings.max_prompts)
        self.features: Table[FeatureKey, Feature] = Table(settings.max_prompts)
        self._told: set[VersionKey | FeatureKey] | None = None

    def take(self, call: Ran, now: float) -> Iterator[Finding]:
        """Findings of one call, in the order of event time."""
        where = (call.tenant, call.feature)
        feature = self.features.get(where) or Feature(FaultShare())
        feature.missing.add(now, not call.prompt_sha, call.response_id)
        feature.versioned = feature.versioned or bool(call.prompt_sha)
        yield from self._gone(self.features.put(where, feature), now)
        yield from self._judge(where, feature.missing, now)
        if not call.prompt_sha or call.template is None:
            return
        key = (*where, call.prompt_name, call.prompt_sha)
        version = self.versions.get(key) or Version(FaultShare())
        known = call.template in version.templates
        if version.learned < LEARN:
            version.learned += 1
            if not known and len(version.templates) <= VARIANTS:
                version.templates.append(call.template)
        version.foreign.add(now, not known and version.learned >= LEARN and len(version.templates) <= VARIANTS, call.response_id)
        yield from self._gone(self.versions.put(key, version), now)
        yield from self._judge(key, version.foreign, now)

    def pass_time(self, now: float) -> Iterator[Finding]:
        """What is told ends when it is over, also without calls."""
        if self._told is None:
            self._told = {key for key, f in self.features if f.missing.since} | {key for key, v in self.versions if v.foreign.since}
        for key in sorted(self._told):
            share = self._share(key)
            if share is not None:
                yield from self._judge(key, share, now, again=True)

    def _share(self, key: VersionKey | FeatureKey) -> FaultShare | None:
        if len(key) == 2:
            feature = self.features.get(key)
            return None if feature is None else feature.missing
        version = self.versions.get(key)
        return None if version is None else version.foreign

    def _judge(self, key: VersionKey | FeatureKey, share: FaultShare, now: float, *, again: bool = False) -> Iterator[Finding]:
        calls, faults = share.faults(now)
        threshold = self._settings.unversioned_share if len(key) == 2 else REPLACED
        least = threshold * calls
        # What is told ends when the hour has few of them for its calls, however few calls it has: it does not come and go with these.
        enough = 1 if share.since else self._settings.unversioned_requests
        holds = faults >= enough and faults >= (least / 2 if share.since else least)
        if holds:
            if again or not share.since:
                share.since = share.since or now
                self._remember(key, True)
                yield self._finding(key, share, calls, faults, now, threshold)
        elif share.since:
            share.since = 0.0
            self._touch(key)
            self._remember(key, False)
            yield Finding(name="UnversionedPrompt", labels=_labels(key), time=now, active=False, keep=KEEP, generator=STAGE)

    def _touch(self, key: VersionKey | FeatureKey) -> None:
        if len(key) == 2 and (feature := self.features.get(key)) is not None:
            self.features.put(key, feature)
        elif len(key) == 4 and (version := self.versions.get(key)) is not None:
            self.versions.put(key, version)

    def _remember(self, key: VersionKey | FeatureKey, told: bool) -> None:
        if self._told is not None:
            (self._told.add if told else self._told.discard)(key)

    def _gone(self, gone: list[Any], now: float) -> Iterator[Finding]:
        """What is forgotten is not told any longer."""
        for key, entry in gone:
            share = entry.missing if isinstance(entry, Feature) else entry.foreign
            if share.since:
                self._remember(key, False)
                yield Finding(name="UnversionedPrompt", labels=_labels(key), time=now, active=False, keep=KEEP, generator=STAGE)

    def _finding(
        self, key: VersionKey | FeatureKey, share: FaultShare, calls: int, faults: int, now: float, threshold: float
    ) -> Finding:
        versioned, kind, sha = True, "text_differs", ""
        if len(key) == 4:
            sha = key[3]
        else:
            known = self.features.get(key)
            versioned = known is not None and known.versioned
            kind = "no_sha" if versioned else "never_sha"
        return Finding(
            name="UnversionedPrompt", labels=_labels(key), time=now, active=True, severity="ticket" if versioned else "info",
            since=share.since, keep=KEEP, value=faults / calls, threshold=threshold,
            window=(now - BUCKET * BUCKETS, now), requests=faults, response_ids=list(share.shown), generator=STAGE,
            facts={"kind": kind, "faults": faults, "calls": calls, "sha": sha},
        )  # fmt: skip


def _labels(key: VersionKey | FeatureKey) -> dict[str, str]:
    where = {"tenant": key[0], "feature": key[1]}
    if len(key) == 2:
        return {**where, "reason": "no_sha"}
    return {**where, "reason": "text_differs", "prompt": key[2], "prompt_sha": key[3]}
