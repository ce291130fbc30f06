"""What keeps a page with foreign texts harmless: no request, no script or style but its own, no characters that break it."""

import base64
import hashlib


def content_policy(script: str, style: str) -> str:
    """A policy that forbids every request and takes only this page's own script and style."""
    scripts = f"'sha256-{digest(script)}'" if script else "'none'"
    sources = f"default-src 'none'; script-src {scripts}; style-src 'sha256-{digest(style)}'"
    return f"{sources}; base-uri 'none'; form-action 'none'"


def digest(content: str) -> str:
    """The hash by which a browser knows an element's content."""
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def xml_safe(page: str) -> str:
    """The page with control characters (except tab and line ends) and lone surrogates shown as U+FFFD."""
    kept = "".join(char if char >= " " or char in "\t\n\r" else "�" for char in page)
    return kept.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
