"""The page of the server in a browser, and its documentation: files from this folder, nothing from elsewhere."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
PAGES = {
    "/": ("page.html", "text/html"),
    "/docs": ("docs.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/docs.js": ("docs.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
"""Each path with its file and type."""


async def page(request: Request) -> Response:
    """One file; no other origin is asked for anything, and no script runs that is not one of these."""
    name, kind = PAGES[request.url.path]
    content = (files(__name__) / name).read_bytes()
    headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)
