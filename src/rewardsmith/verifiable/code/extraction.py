"""The program in a response: its last fenced code block."""

import re

PYTHON = ("", "python", "python3", "py")
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^`\n]*$")


def program_in(text: str) -> str | None:
    """The last fenced block that is Python's or says no language; None without. A block that never ends is none."""
    found = [content for language, content in blocks(text) if language.lower() in PYTHON]
    return found[-1] if found else None


def blocks(text: str) -> list[tuple[str, str]]:
    """The closed fenced blocks of a Markdown text: language and content."""
    found: list[tuple[str, str]] = []
    opened: tuple[str, str] | None = None
    lines: list[str] = []
    for line in text.splitlines():
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                opened, lines = (fence[1], fence[2]), []
        elif fence and fence[1].startswith(opened[0]) and not fence[2]:
            found.append((opened[1], "\n".join(lines) + "\n"))
            opened = None
        else:
            lines.append(line)
    return found
