import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.quality.text import CJK, TEXT_CHECKS, language_of, length_in_words, role_tag

CLEAN = [
    "你好，世界！（测试）“引号”：ＡＢＣ——完。",
    "日本語の文章です。カタカナも。",
    "naïve café, Zürich – “quoted” … it’s 20 € at 30 °C",
    "Ελληνικά, русский, العربية, می‌خواهم, 한국어, ไทย",
    "def f(x):\n\treturn x < 3  # [x] <b>\r\n",
    "👩‍👩‍👧 emoji",
]


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_of_any_language_gives_no_finding(text):
    assert {name: look(text) for name, look in TEXT_CHECKS.items() if look(text)} == {}
    assert role_tag(text) is None


@pytest.mark.parametrize("page", ["cp1252", "latin-1", "cp1254"])
@pytest.mark.parametrize("text", ["奖励模型的训练数据是什么格式", "déjà vu à l’été, très cher"])
def test_utf8_read_as_a_windows_code_page_is_found(text, page):
    damaged = text.encode().decode(page, errors="ignore")
    assert TEXT_CHECKS["damaged_text"](damaged)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=50))
def test_chinese_is_never_called_damaged_and_each_character_is_a_word(text):
    assert not any(look(text) for look in TEXT_CHECKS.values())
    assert length_in_words(text) == len(text) == len(CJK.findall(text))


@pytest.mark.parametrize(
    ("text", "words"), [("你好，world!", 3), ("two words", 2), ("", 0), ("— !", 0), ("用GPT-4写", 3), ("a　b", 2)]
)
def test_length_counts_words_of_both_kinds(text, words):
    assert length_in_words(text) == words


@pytest.mark.parametrize(
    ("check", "text", "detail"),
    [
        ("replacement_character", "a\ufffdb\ufffd", "2 characters lost (U+FFFD)"),
        ("control_characters", "a\x00b\x1b", "U+0000, U+001B"),
        ("invisible_characters", "a\u200bb\u202e", "U+200B, U+202E"),
        ("template_token", "end<|im_end|>", "'<|im_end|>'"),
        ("template_token", "<｜end▁of▁sentence｜>", "'<｜end▁of▁sentence｜>'"),
        ("placeholder", "x [removed] y", "'[removed] y'"),
    ],
)
def test_each_check_tells_what_it_saw(check, text, detail):
    assert TEXT_CHECKS[check](text) == detail


def test_role_tags_are_found_at_the_start_of_a_line_only():
    assert role_tag("fine\n\nHuman: more") == "'Human: more'"
    assert role_tag("好的\n用户：再来") == "'用户：再来'"
    assert role_tag("ask the Human: nobody") is None


@pytest.mark.real_data
def test_the_damaged_seed_document_is_found_and_its_clean_twin_is_not():
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set")
    seeds = Path(folder).parent / "seeds"
    if not seeds.is_dir():
        pytest.skip("the seed documents are not beside REWARDSMITH_DATA")
    damaged, clean = (next(seeds.glob(f"{name}_*.txt")).read_text(encoding="utf-8") for name in ("004", "002"))
    look = TEXT_CHECKS["damaged_text"]
    assert sum(bool(look(line)) for line in damaged.splitlines()) > 100
    assert not any(look(line) for line in clean.splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("奖励模型", "zh"),
        ("reward model", "en"),
        ("用 transformers 载入模型", "zh"),
        ("the character 奖 means reward", "en"),
        ("écoute ça", "en"),
        ("こんにちは世界", "other"),
        ("안녕하세요", "other"),
        ("Привет, world", "other"),
        ("1 + 1 = 2", "other"),
        ("１＋１", "other"),
        ("", "other"),
    ],
)
def test_the_language_is_told_by_script(text, expected):
    assert language_of(text) == expected


@given(st.text(st.sampled_from("ab1_ -!\n\t，好あ\u3000é。"), max_size=30))
def test_length_equals_counting_by_hand(text):
    spaced = "".join(" " if CJK.match(character) else character for character in text)
    words = [piece for piece in spaced.split() if any(character.isalnum() or character == "_" for character in piece)]
    assert length_in_words(text) == len(words) + sum(bool(CJK.match(character)) for character in text)
