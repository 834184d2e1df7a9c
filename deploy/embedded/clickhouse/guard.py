"""Who may call: this machine, but not a web page from elsewhere through this machine's browser."""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web


@web.middleware
async def refuse_foreign_pages(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A foreign page can make its reader's browser send requests to loopback, and DNS can give loopback its own name."""
    origin = request.headers.get("Origin")
    names = [urlsplit(f"//{request.headers.get('Host', 'localhost')}").hostname]
    if origin is not None:
        names.append(urlsplit(origin).hostname)
    if not all(is_loopback(name or "") for name in names) or request.headers.get("Sec-Fetch-Site") == "cross-site":
        text = "This ClickHouse serves its own machine: call it as 127.0.0.1 or localhost, not from another site's web page.\n"
        return web.Response(status=403, text=text)
    return await handler(request)


def is_loopback(name: str) -> bool:
    """Whether a host name or address means this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
