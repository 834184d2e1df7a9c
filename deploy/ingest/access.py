"""Who may send what, free of I/O.

Services send the token. Pages of named origins may send feedback, with a key that everybody can
see. Where no token is needed, only this machine listens, and then a request must name this machine
as its host: a page whose name is resolved to it (DNS rebinding) is turned away, as are the pages of
all other sites.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from deploy.ingest.problems import HttpProblem
from streams.settings import LOOPBACK, IngestSettings

Grant = Literal["everything", "feedback"]

EVENTS = "/v1/events"
OPEN = frozenset({"/health", "/metrics"})
"""Whoever reaches the port may look at these: they hold no data."""

CORS = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
    "Access-Control-Expose-Headers": "Retry-After",
    "Access-Control-Max-Age": "600",
}


def granted(settings: IngestSettings, path: str, headers: Mapping[str, str]) -> Grant:
    """What a request may send. Raises Problem 401, 403 or 421."""
    if not settings.token:
        host = headers.get("Host", "")
        if (urlsplit(f"//{host}").hostname or "") not in LOOPBACK:
            raise HttpProblem(421, f"this ingest is not {host!r}; without a token it answers as localhost")
    of_page = is_of_page(headers)
    if of_page:
        if headers.get("Origin") not in settings.origins:
            raise HttpProblem(403, "this site's pages may not send here; name its origin in ingest.origins")
        if path != EVENTS:
            raise HttpProblem(403, f"a page may send feedback to {EVENTS} and nothing else")
    if path in OPEN:
        return "everything"
    if _bears(headers, settings.public_key):
        return "feedback"
    needed = settings.token or (of_page and settings.public_key)
    if needed and not _bears(headers, settings.token):
        raise HttpProblem(401, "the token is missing or wrong; send it as Authorization: Bearer TOKEN")
    return "feedback" if of_page else "everything"


def is_of_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser sends this for a page, which can only be another site's."""
    site = headers.get("Sec-Fetch-Site", "none")
    return "Origin" in headers or site not in ("none", "same-origin")


def cors(settings: IngestSettings, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers by which a browser lets the page of a named origin read the answer."""
    origin = headers.get("Origin", "")
    if origin not in settings.origins:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin", **CORS}


def _bears(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return bool(token) and scheme.lower() == "bearer" and same
