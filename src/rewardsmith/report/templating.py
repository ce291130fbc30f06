"""The templates of pages and cards, filled; what ends in .html is escaped, and a name that is not given is an error."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render(name: str, /, **values: Any) -> str:
    """The template `name` of `templates/`, filled."""
    return environment().get_template(name).render(**values)


def read_template(name: str) -> str:
    """A file of `templates/` that is taken as it is: a style or a script."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def environment() -> "Environment":
    """One for all templates, so that each is compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
