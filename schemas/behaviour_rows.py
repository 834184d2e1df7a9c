"""Rows of the agent ``behaviour`` and of ``mirante prompts sync`` (see ``schemas/rows.py`` for what rows have in common)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from schemas.rows import TableRow


class PromptFileRow(TableRow):
    """One commit that touched a prompt file. ``version``: epoch seconds of the commit at which the repository was read.

    Identity: repository, path, commit_sha. ``latest``: no later commit touched the file, and it still exists.
    """

    TABLE: ClassVar[str] = "prompt_files_data"

    repository: str
    path: str
    name: str
    commit_sha: str
    blob_sha: str
    committed_at: datetime
    version: int
    latest: bool = False


class ShadowPairRow(TableRow):
    """A shadow's or canary's answer beside the live one. ``version``: 1 and the number of scores it holds.

    ``similarity`` is 0 to 1; scores are the means of the evaluations of each answer.
    """

    TABLE: ClassVar[str] = "shadow_pairs_data"

    time: datetime
    request_id: str
    version: int
    variant: str
    response_id: str
    live_request_id: str
    live_response_id: str
    tenant: str = "default"
    feature: str = ""
    model: str = ""
    live_model: str = ""
    prompt_sha: str = ""
    live_prompt_sha: str = ""
    outcome: str = ""
    live_outcome: str = ""
    output_chars: int = 0
    live_output_chars: int = 0
    similarity: float | None = None
    cost_usd: str | None = None
    live_cost_usd: str | None = None
    latency_ms: float | None = None
    live_latency_ms: float | None = None
    score: float | None = None
    live_score: float | None = None


class ShadowVerdictRow(TableRow):
    """What the pairs of one comparison say of one metric; ``version`` counts the pairs. ``difference`` is shadow minus live, in the
    metric's unit, with the bounds of a confidence sequence."""

    TABLE: ClassVar[str] = "shadow_verdicts_data"

    variant: str
    metric: str
    version: int
    time: datetime
    pairs: int
    difference: float
    low: float
    high: float
    verdict: str
    tenant: str = "default"
    feature: str = ""
    model: str = ""
    live_model: str = ""
    prompt_sha: str = ""
    live_prompt_sha: str = ""


class CacheCandidateRow(TableRow):
    """A group of questions that are the same but for wording. ``version``: its requests.

    ``cost_usd``: what all but the first have cost; ``unpriced_requests``: how many of these have no known price. ``users`` is exact up to
    the bound of what is remembered, then an underestimate.
    """

    TABLE: ClassVar[str] = "cache_candidates_data"

    group_id: str
    version: int
    question: str
    requests: int
    first_seen: datetime
    last_seen: datetime
    tenant: str = "default"
    feature: str = ""
    users: int = 0
    cost_usd: str = "0"
    unpriced_requests: int = 0
    answers: int = 0
    answers_differ: bool = False
    response_ids: list[str] = msgspec.field(default_factory=list)
