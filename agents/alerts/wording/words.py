"""What a language has to say of alerts: the same entries in every language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Clause(NamedTuple):
    """What is so while an alert fires, and what was so once it is resolved.

    In braces what wording/__init__.py puts in: ``value`` and ``usual`` (the finding's, in its unit),
    ``worst`` (the value furthest from the usual one while it fired), and facts.
    """

    firing: str
    resolved: str


class Words(NamedTuple):
    """A language.

    ``clauses``, ``actions`` and ``details``: by the kind of the facts. ``tails``: what follows a
    clause. ``nouns``: one and many of what is counted. ``places``: names of labels. ``drifts``: what
    a metric of drift is called; ``whys`` and ``remedies``: by the cause of a drift. ``terms``: other
    single words by what they stand for in the facts.
    """

    clauses: Mapping[str, Clause]
    actions: Mapping[str, str]
    details: Mapping[str, str]
    tails: Mapping[str, str]
    nouns: Mapping[str, tuple[str, str]]
    places: Mapping[str, str]
    drifts: Mapping[str, Clause]
    whys: Mapping[str, str]
    remedies: Mapping[str, str]
    terms: Mapping[str, str]
