"""Personal data and secrets in text: found, and masked before anything is stored or sent on."""

from agents.inspection.pii.candidates import candidate_ends, has_candidates
from agents.inspection.pii.finder import find
from agents.inspection.pii.masking import Found, Tag, Tagger, mask, mask_fields, mask_json, name_of, pii_column
from agents.inspection.pii.span import KINDS, Kind, PiiSpan

__all__ = [
    "KINDS", "Found", "Kind", "PiiSpan", "Tag", "Tagger", "candidate_ends", "find", "has_candidates", "mask", "mask_fields", "mask_json",
    "name_of", "pii_column",
]  # fmt: skip
