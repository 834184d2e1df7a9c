"""Usage as the providers' SDKs return it, normalised to the fields of `schemas.events.Usage`.

Providers count differently: OpenAI's `prompt_tokens` include what came from a cache, Anthropic's
`input_tokens` do not; Gemini's `candidates_token_count` leaves the thoughts out, xAI's
`completion_tokens` leaves the reasoning out. The table `SHAPES` holds one adapter for each way of
counting. The convention they are brought to is OpenTelemetry's: input includes cached tokens, read
and written; output includes reasoning; tokens of a modality are inside input and output.

An adapter is data. `fields` says which quantity stands at which path; keys are matched in
snake_case and in camelCase, as Python's and Node's SDKs write them. An adapter is chosen by the
top-level keys alone (`marks`), the first of the table that has one of its marks there, as it is
spelled; where two providers use the same keys (xAI and OpenAI), the total decides.

Nothing is guessed. A number above zero at a path that the adapter does not list, two fields that
say different things of one quantity, and a total that is not the sum of its parts are named in
`Normalised.not_understood`; a cost computed from such usage is a lower bound.
"""

from schemas.usage.reading import Normalised, contradictions, normalise
from schemas.usage.shape import COUNTS, Shape
from schemas.usage.table import SHAPES

__all__ = ["COUNTS", "SHAPES", "Normalised", "Shape", "contradictions", "normalise"]
