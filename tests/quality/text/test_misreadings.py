"""UTF-8 read as another encoding: found and read back under every page, and no living script taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.quality.row.repair import loss_of, repaired
from rewardsmith.quality.text.characters import damaged_text
from rewardsmith.quality.text.misreadings import PAGES, double_page, legacy_characters, misread_as
from rewardsmith.quality.text.single_bytes import reading

TEXTS = {
    "zh": "奖励模型的训练数据是什么格式？如何解决过拟合问题。",
    "zh-Hant": "這個問題應該如何解決？請說明你們的理由。",
    "ja": "これは日本語の文章です。カタカナも混ざっています。",
    "ko": "안녕하세요, 보상 모델을 학습합니다.",
    "ru": "Привет, как дела? Это пример текста.",
    "fr": "déjà vu à l’été, très cher — où ça mène.",
    "pl": "Zażółć gęślą jaźń",
    "ar": "مرحبا بالعالم، كيف حالك؟",
    "el": "Καλημέρα κόσμε, τι κάνεις;",
}
FULL = ("latin-1", "iso-8859-15", "mac-roman", "cp437", "cp850", "cp1256")
"""Pages of single bytes that show every byte, so that nothing is lost."""
LIVING = [
    *TEXTS.values(),
    *(
        "Ці ЦІЛІ Рівне",
        "Ђорђе и Љубица",
        "ГЁТЕ, Ёж",
        "強迫設定長寬比符合該框架裡的子元件的設定",
        "讀取至 %s 位元組時發生錯誤",
    ),
    *(
        "┌──┐\n│ab│\n└──┘ ▼",
        "├── src\n└── té",
        "√2 ≈ 1.41, ∑x², ∂f/∂x ≠ 0, ½ ± ¼",
        "‚Zitat‘ „noch eins“ »Größe«",
        "naïve — “Élan”…",
    ),
    *(
        "فکر؟ ذکر… تھا، شامل",
        "“سپس، اگر؟”",
        "لکھ، تک؛ شک",
        "¬¬p → p",
        "p ∧ ¬¬q ⊢ q",
        "¬(¬p)¬¬",
        "¦¦ pipe ¦¦",
        "££ §§ 5–7",
    ),
    *("ﾊﾝｶｸ ｶﾀｶﾅ", "昇進の試験に勝つ習慣を承る", "烫烫烫", "Ngày mai tôi sẽ đi Huế", "١٢٣ پارسی گچ پژ"),
]


@pytest.mark.parametrize("page", FULL)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_a_full_page_shows_is_found_and_comes_back_or_is_left_alone(text, page):
    damaged = text.encode().decode(page)
    assert loss_of(damaged) is None
    if damaged_text(damaged):
        assert repaired(damaged) == text


def test_nearly_all_of_it_is_found():
    damaged = [text.encode().decode(page) for text in TEXTS.values() for page in FULL]
    assert sum(damaged_text(text) is not None for text in damaged) >= len(damaged) - 2


@pytest.mark.parametrize("text", LIVING)
def test_living_scripts_and_drawings_are_not_damage(text):
    assert (damaged_text(text), repaired(text), loss_of(text)) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "page"), [("РџСЂРёРІРµС‚, РєР°Рє", "windows-1251"), ("dГ©jГ  vu Г©tГ©", "windows-1251")]
)
def test_other_scripts_as_damage_are_told_apart(text, page):
    assert damaged_text(text) == f"UTF-8 read as {page}"


@pytest.mark.parametrize("page", ["gbk", "cp932"])
@pytest.mark.parametrize("errors", ["ignore", "replace"])
@pytest.mark.parametrize("name", ["zh", "zh-Hant", "ja"])
def test_double_byte_pages_lose_characters_and_say_how_many(name, errors, page):
    damaged = TEXTS[name].encode().decode(page, errors=errors)
    assert damaged_text(damaged)
    assert repaired(damaged) is None


@pytest.mark.parametrize("page", ["cp950", "euc_jp"])
def test_pages_that_drop_most_bytes_are_still_found(page):
    assert damaged_text(TEXTS["zh"].encode().decode(page, errors="ignore"))


def test_whole_chinese_comes_back_out_of_gbk_and_odd_bytes_are_a_loss():
    assert repaired("浣犲ソ") == "你好"
    assert repaired("请看：浣犲ソ浣犲ソ") is None  # the stretch is not all damage
    loss = loss_of(TEXTS["zh"].encode().decode("gbk", errors="replace"))
    assert (loss.page, loss.readable) == ("gbk", 18)
    assert loss.lost > 0


@pytest.mark.parametrize("trace", ["it鈥檚", "锟斤拷锟斤拷", "占쏙옙", "嚙踝蕭", "窶彗"])
def test_traces_of_quotes_and_of_lost_characters_are_found(trace):
    assert misread_as(f"text {trace} more")


def test_chinese_bytes_shown_as_latin_letters_are_no_loss_of_utf8():
    for page in ("gb2312", "euc_jp"):
        damaged = TEXTS["ja"].encode(page, errors="ignore").decode("latin-1")
        assert damaged_text(damaged)
        assert (loss_of(damaged), repaired(damaged)) == (None, None)
        assert legacy_characters(damaged) > 10


@pytest.mark.parametrize("times", [2, 3])
def test_what_was_misread_several_times_comes_back(times):
    damaged = TEXTS["zh"]
    for _ in range(times):
        damaged = damaged.encode().decode("latin-1")
    assert repaired(damaged) == TEXTS["zh"]


@given(st.text(max_size=80))
def test_no_text_crashes_any_page(text):
    double_page(text)
    for page in PAGES:
        found = reading(text, page)
        assert found.readable >= 0 <= found.lost
        assert found.readable or found.text == text


@given(st.sampled_from(list(TEXTS.values())), st.sampled_from(FULL))
def test_a_repair_is_stable(text, page):
    fixed = repaired(text.encode().decode(page))
    assert fixed is None or (repaired(fixed) is None and damaged_text(fixed) is None)
