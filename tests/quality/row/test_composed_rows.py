"""Clean text is not changed: rows put together from Chinese, Japanese and Korean, signs, money, names and code.

REWARDSMITH_COMPOSED_ROWS=10000 python -m pytest tests/quality/row/test_composed_rows.py
"""

import os

import pytest

import composed
from rewardsmith.quality.row.repair import loss_of, repaired

ROWS = int(os.environ.get("REWARDSMITH_COMPOSED_ROWS", "500"))

CLEAN = [
    "cost: ”¥5",
    "cost: ”¥5, ”¥6, ”¥7",
    "价格”£20”",
    "“CAFÉ”很好",
    "NESCAFÉ®咖啡",
    "字母“Å”读作",
    "5×“好”",
    "€ª 297",
    "»élan",
    "“mot”élégant",
    "MANHÃ© 56",
    "ß£927",
    "¦¢864",
    "René¨€229 3874",
    "¬¥919",
    "≈Çelik",
    "958€†닭갈비",
    "「ಠ_ಠ」”Øystein",
    "SÃOÄµ∑ ≠元595",
    "”ﾊﾝｶｸｶﾅ“Ω¬ß$793‘Øystein’739￡👍🏽",
]
DAMAGED = {
    "cafÃ©": "café",
    "Ã‰cole": "École",
    "RÃ©publique": "République",
    "CAFÃ‰": "CAFÉ",
    "byÅ‚": "był",
    "Â© 2024": "© 2024",
    "itâ€™s": "it’s",
    "caf√©": "café",
    "thÆ°": "thư",
    "你好 å¥½çš„": "你好 好的",
}


@pytest.mark.parametrize("language", composed.PHRASES)
def test_no_composed_row_is_changed_or_called_lost(language):
    changed = [
        text for text in composed.rows(language, ROWS) if repaired(text) is not None or loss_of(text) is not None
    ]
    assert changed == []


@pytest.mark.parametrize("text", CLEAN)
def test_signs_and_letters_side_by_side_are_left_alone(text):
    assert (repaired(text), loss_of(text)) == (None, None)


@pytest.mark.parametrize("text", DAMAGED)
def test_a_single_misread_letter_still_comes_back(text):
    assert repaired(text) == DAMAGED[text]
