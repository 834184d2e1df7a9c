"""Classifiers of short texts: refusals and injection attempts, in English and Portuguese."""

from __future__ import annotations

from agents.inspection.text.injection import injection_probability
from agents.inspection.text.refusal import is_refusal

__all__ = ["load_models"]


def load_models() -> None:
    """Read the models now, which takes most of a second, rather than when the first text comes."""
    is_refusal(".")
    injection_probability(".")
    injection_probability(".", retrieved=True)
