"""What the plumbing needs to know of an agent: its name, its inputs and how a partition's state begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.state import PartitionState


@dataclass(frozen=True)
class Agent:
    """``inputs``: co-partitioned topics. ``new_state``: partition number -> empty state.

    ``prompt``: a checkpoint is due as soon as there is a message to send, not only once per interval.
    """

    name: str
    inputs: tuple[str, ...]
    new_state: Callable[[int], PartitionState]
    prompt: bool = False
