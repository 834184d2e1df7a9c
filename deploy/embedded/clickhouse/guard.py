"""Who may call: the engine's owner. Not another user of this machine, and no web page, through whoever's browser."""

import binascii
import hmac
import ipaddress
from base64 import b64decode
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from deploy.embedded.clickhouse.errors import (
    AUTHENTICATION_FAILED,
    REQUIRED_PASSWORD,
    ClickHouseError,
    server_error,
)

HINT = "`mirante query --print-url` shows an address that has it, endpoints.json in the stack's data folder too"


@web.middleware
async def refuse_foreign_pages(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A page can make its reader's browser send requests to loopback, and DNS can give loopback its own name."""
    host = request.headers.get("Host", "localhost")
    origin = request.headers.get("Origin")
    own_name = is_loopback(urlsplit(f"//{host}").hostname or "")
    own_origin = origin is None or origin == f"http://{host}"
    if not own_name or not own_origin or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        text = "This ClickHouse serves its own machine: call it as 127.0.0.1 or localhost, not from another site's web page.\n"
        return web.Response(status=403, text=text)
    return await handler(request)


def authenticate(request: web.Request, token: str) -> None:
    """Raise ClickHouseError unless the request carries the token as password, in one of the ways ClickHouse takes one."""
    given = _password(request)
    if given is None:
        raise server_error(REQUIRED_PASSWORD, "REQUIRED_PASSWORD", f"This ClickHouse asks for its token as password; {HINT}")
    if not hmac.compare_digest(given.encode(errors="replace"), token.encode()):
        text = f"Authentication failed: the password is not this stack's token, which is new at every start; {HINT}"
        raise server_error(AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", text)


def challenge(error: ClickHouseError) -> dict[str, str]:
    """The headers by which a client learns that it can log in."""
    return {"WWW-Authenticate": 'Basic realm="ClickHouse"'} if error.code == REQUIRED_PASSWORD else {}


def _password(request: web.Request) -> str | None:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return b64decode(credentials, validate=True).decode().partition(":")[2] or None
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return request.headers.get("X-ClickHouse-Key") or request.query.get("password") or None


def is_loopback(name: str) -> bool:
    """Whether a host name or address means this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
