import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rewardsmith.quality.row.repair import loss_in, loss_of, repair, repaired
from rewardsmith.records import Comparison, Message, Record, Response

CLEAN = [
    "你好，世界！（测试）“引号”：ＡＢＣ——完。",
    "日本語の文章です。カタカナも、ﾊﾝｶｸも。",
    "naïve café, Zürich – “quoted” … it’s 20 € at 30 °C",
    "“Spaß”, „Größe“, ÉTÉ, Ö” and É™",
    "Ελληνικά, русский, العربية, می‌خواهم, 한국어, ไทย, Tiếng Việt",
    "def f(x):\r\n\treturn x < 3 &amp; y  # ﬁ \x1b[0m",
    "👩‍👩‍👧 🇨🇳 é (decomposed)",
]


def misread(text, page):
    return "".join(bytes([byte]).decode(page) for byte in text.encode())


def seeds(*names):
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder or not (Path(folder).parent / "seeds").is_dir():
        pytest.skip("REWARDSMITH_DATA is not set, or the seed documents are not beside it")
    return [next((Path(folder).parent / "seeds").glob(f"{name}_*.txt")).read_text(encoding="utf-8") for name in names]


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_is_not_touched(text):
    assert (repaired(text), loss_of(text)) == (None, None)


@pytest.mark.parametrize("page", ["latin-1", "mac-roman", "cp437"])
@pytest.mark.parametrize("text", ["奖励模型的训练数据是什么格式？", "déjà vu à l’été, très cher — où ça ?"])
def test_text_misread_under_a_full_code_page_comes_back_or_is_left_alone(text, page):
    damaged = misread(text, page)
    assert repaired(damaged) in ({text} if page == "latin-1" else {text, None})


@given(st.text(st.sampled_from("奖励模型训练数据，。abc 1\n"), min_size=2, max_size=30))
@example("奖励")
def test_a_repair_is_the_original_or_nothing(text):
    damaged = misread(text, "latin-1")
    assert repaired(damaged) in (text, None)
    assert repaired(text) is None


@given(st.text(max_size=60))
def test_no_text_crashes_and_repairing_twice_changes_nothing(text):
    loss_of(text)
    fixed = repaired(text)
    assert fixed is None or repaired(fixed) is None


def test_the_loss_is_counted():
    whole = misread("奖励模型的训练", "latin-1")
    assert loss_of(whole) is None
    loss = loss_of(whole[:-1])  # the last character lacks its third byte
    assert (loss.lost, loss.readable) == (1, 6)
    assert str(loss) == f"UTF-8 read as {loss.page}, 1 of 7 characters lost (14%)"
    assert repaired(whole[:-1]) is None


def test_a_record_is_repaired_as_a_whole_and_says_what_changed():
    damaged = misread("写一首诗吧", "latin-1")
    row = Record(
        (Message("user", f"ok: {damaged}"),),
        (Response((Message("assistant", "好的"),)), Response((Message("assistant", damaged),))),
        (Comparison(0, 1),),
    )
    fixed, done = repair(row)
    assert (fixed.prompt[0].content, fixed.responses[1].text) == ("ok: 写一首诗吧", "写一首诗吧")
    assert fixed.responses[0] == row.responses[0]
    assert [(one.where, one.after) for one in done] == [("prompt[0]", "写一首诗吧"), ("responses[1]", "写一首诗吧")]
    assert repair(fixed) == (fixed, ())
    assert loss_in(fixed) is None


PARTLY = [
    ("Où est RenÃ©, ZoÃ©, AndrÃ© ?", "Où est René, Zoé, André ?"),
    ("«café» de RenÃ©, prÃ¨s d'ici, Ã©tÃ©", "«café» de René, près d'ici, été"),
    ("El niÃ±o y la niña: maÃ±ana, corazÃ³n", "El niño y la niña: mañana, corazón"),
    ("São Paulo e SÃ£o JosÃ©, NÃO", "São Paulo e São José, NÃO"),
    ("Größe, MÃ¼ller, StraÃŸe, Ärger", "Größe, Müller, Straße, Ärger"),
    ("TÃ¼rkÃ§e ve İstanbul, ÄŸÃ¼zel", "Türkçe ve İstanbul, ğüzel"),
    ("Privet: Ð¿Ñ€Ð¸Ð²ÐµÑ‚ и это нормально", "Privet: привет и это нормально"),
    ("中文正常，å¥–åŠ±æ˜¯ä»€ä¹ˆ，谢谢", "中文正常，奖励是什么，谢谢"),
    (
        "DÃ©placer la fenêtre vers le bord supÃ©rieur de l’écran",
        "Déplacer la fenêtre vers le bord supérieur de l’écran",
    ),
    ("[OPÇÃO] DIRETÃ“RIO [OPÃ‡ÃƒO] SÃ£o", "[OPÇÃO] DIRETÓRIO [OPÇÃO] São"),
    ("Il va Ã la mer en Ã©tÃ©", "Il va à la mer en été"),
    ("Itâ€™s RenÃ©â€™s cafÃ© – “naïve”", "It’s René’s café – “naïve”"),
]


@pytest.mark.parametrize(("text", "whole"), PARTLY)
def test_a_text_that_was_misread_in_parts_comes_back_piece_by_piece(text, whole):
    assert (repaired(text), loss_of(text)) == (whole, None)
    assert repaired(whole) is None


@pytest.mark.parametrize(
    "text",
    [
        "If you see “Ã©” instead of “é”, the file was read as Latin-1.",
        "Mojibake such as Ã©, Ã¨ and Ã¼ means UTF-8 was decoded as Windows-1252.",
        'It shows "cafÃ©" rather than "café", "naÃ¯ve" rather than "naïve" and "rÃ©sumÃ©" rather than "résumé".',
        'Why do I see â€™ in my posts? Replace "â€™" with "’".',
        "乱码是怎么产生的？例如“å¥½”其实是“好”，“ä¸­”其实是“中”。",
        "Si vous voyez Ã© au lieu de é, Ã¨ au lieu de è et Ã§ au lieu de ç, le fichier est en UTF-8.",
    ],
)
def test_a_text_that_speaks_about_damage_keeps_it(text):
    assert (repaired(text), loss_of(text)) == (None, None)


def test_what_is_left_of_lost_characters_is_no_letter_of_the_text():
    """The first bytes of Cyrillic beside whole Cyrillic, of Chinese in a stretch of it: their ends were dropped."""
    for whole in ("Это тест строки с текстом", "奖励模型的训练数据是什么格式"):
        damaged = whole.encode().decode("cp1252", errors="ignore")
        assert loss_of(damaged).lost > 0
        assert repaired(damaged) is None


@pytest.mark.real_data
def test_the_damaged_seed_comes_back_where_it_can_and_nowhere_wrong():
    damaged, clean = (text.split("\n") for text in seeds("004", "002"))
    results = [(repaired(bad), loss_of(bad), good) for bad, good in zip(damaged, clean, strict=True) if bad != good]
    assert all(fixed in (None, good) for fixed, _, good in results)
    assert sum(fixed is not None for fixed, _, _ in results) >= 25
    assert sum(loss is not None for _, loss, _ in results) >= 110


@pytest.mark.real_data
def test_the_clean_seeds_stay_as_they_are():
    for text in seeds("000", "001", "002", "003"):
        assert not any(repaired(piece) or loss_of(piece) for piece in (text, *text.split("\n")))
