"""What keeps a page with foreign texts harmless: no request, no script but its own, no characters that break it."""

import base64
import hashlib


def content_policy(script: str, style: str) -> str:
    """A policy that forbids every request and runs only this page's own script.

    Styles stay open inside the page because matplotlib writes style attributes; they cannot fetch anything.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sources = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'"
    return f"{sources}; base-uri 'none'; form-action 'none'"


def xml_safe(page: str) -> str:
    """The page with control characters (except tab and line ends) and lone surrogates shown as U+FFFD."""
    kept = "".join(char if char >= " " or char in "\t\n\r" else "�" for char in page)
    return kept.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
