"""The templates of pages and cards, filled; what ends in .html is escaped, and a name that is not given is an error."""

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.language import Language
from rewardsmith.report.safety import content_policy, xml_safe

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
BETWEEN_BACKTICKS = re.compile("`([^`\n]+)`")


def render(name: str, /, **values: Any) -> str:
    """The template `name` of `templates/`, filled."""
    return environment().get_template(name).render(**values)


def render_html(name: str, lang: Language, /, *, script: str = "", **values: Any) -> str:
    """A page: the template filled, with the style of all pages, the script of this one, and the policy that fits them."""
    from markupsafe import Markup

    style, code = read_template("page.css"), read_template(script) if script else ""
    page = render(
        name,
        language="zh-Hans" if lang == "zh" else "en",
        policy=content_policy(code, style),
        style=Markup(style),
        code=Markup(code),
        **values,
    )
    return xml_safe(page)


def read_template(name: str) -> str:
    """A file of `templates/` that is taken as it is: a style or a script."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def environment() -> "Environment":
    """One for all templates, so that each is compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Charts are drawn by `report.charts`, which escapes its texts; the only markup that is taken as it is.
    made.filters["chart"] = Markup
    made.filters["prose"] = with_code
    return made


def with_code(text: object) -> "Markup":
    """A sentence in which what stands between backticks is set as code."""
    from markupsafe import Markup, escape

    return Markup(BETWEEN_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))
