"""Write the comparison's three files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.errors import OutputError
from rewardsmith.files import write_json, write_text
from rewardsmith.language import Language
from rewardsmith.report.comparison.page import markdown, pairs_of, render_comparison
from rewardsmith.report.comparison.runs import evaluated_runs, flips_of

FILES = ("comparison.html", "comparison.md", "comparison.json")


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """OutputError where a comparison is in `folder` already and may not be replaced."""
    for name in FILES:
        if (folder / name).exists() and not overwrite:
            raise OutputError(f"{folder / name} already exists; choose another output or pass --overwrite")


def write_comparison(
    content: Mapping[str, Any], folders: Sequence[Path], output: Path, *, lang: Language = "en"
) -> Path:
    """Write the three files into `output` and return the page; `content` is what `compare --json` prints."""
    runs = evaluated_runs(folders)
    pairs = pairs_of(content)
    flips = flips_of(folders[0], folders[1])
    write_text(output / "comparison.html", render_comparison(runs, pairs, flips, lang=lang, seeds=content.get("seeds")))
    write_text(output / "comparison.md", markdown(runs, pairs, lang=lang, seeds=content.get("seeds")))
    write_json(output / "comparison.json", dict(content))
    return output / "comparison.html"
