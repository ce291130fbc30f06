"""Write `report.html` of a DPO run or of a self-rewarding loop."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.files import write_text
from rewardsmith.language import Language
from rewardsmith.report.alignment import dpo, loop
from rewardsmith.report.text import TEXTS
from rewardsmith.report.tuning.writing import rendered


def write_dpo_report(summary: Mapping[str, Any], folder: Path, *, lang: Language = "en") -> None:
    """The page of a DPO run: `summary` is what `dpo.json` holds, the curves are in `metrics.jsonl`."""
    texts = TEXTS[lang]
    rows: Sequence[Mapping[str, Any]] = [
        orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()
    ]
    page = rendered(
        texts["dpo_title"], dpo.headline(summary, texts), dpo.sentences(summary, texts),
        dpo.blocks(summary, rows, texts), texts, lang,
    )  # fmt: skip
    write_text(folder / "report.html", page)


def write_loop_report(
    summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], folder: Path, *, lang: Language = "en"
) -> None:
    """The page of a self-rewarding loop: `summary` is what `self_reward.json` holds, `rows` what `ledger.jsonl` does."""
    texts = TEXTS[lang]
    page = rendered(
        texts["loop_title"], loop.headline(summary, rows, texts), loop.sentences(summary, rows, texts),
        loop.blocks(summary, rows, texts), texts, lang,
    )  # fmt: skip
    write_text(folder / "report.html", page)
