import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.quality.text.characters import CJK, TEXT_CHECKS, length_in_words
from rewardsmith.quality.text.markup import boilerplate, role_tag

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


# The 3,755 characters of the first level of GB 2312, by frequency of use; what stands outside of it may be a misreading.
COMMON = [
    character
    for lead in range(0xB0, 0xD8)
    for trail in range(0xA1, 0xFF)
    if len(character := bytes([lead, trail]).decode("gb2312", errors="ignore")) == 1
]


@given(st.text(st.sampled_from(COMMON), max_size=50))
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
        ("replacement_character", "a\ufffdb\ufffd", "2 characters were lost (U+FFFD)"),
        ("control_characters", "a\x00b\x1b", "U+0000, U+001B"),
        ("invisible_characters", "a\u200bb\u202e", "U+200B, U+202E"),
        ("template_token", "end<|im_end|>", "'<|im_end|>'"),
        ("template_token", "<｜end▁of▁sentence｜>", "'<｜end▁of▁sentence｜>'"),
        ("placeholder", "x [removed] y", "'[removed] y'"),
    ],
)
def test_each_check_tells_what_it_saw(check, text, detail):
    assert TEXT_CHECKS[check](text) == detail


LEAKED = {
    "role_tag": (
        *(
            "fine\n\nHuman: more",
            "好的\n用户：再来",
            "ok\n\nAssistant: x",
            "Done.\n### Response:\nfoo",
            "It is. USER: what",
        ),
        *("### Instruction: do", "ok\n**User:** hi", "a\n<human>: hi", "[Round 2]\n问", "Great! Human: and then"),
    ),
    "template_token": (
        *(
            "hi<|im_end|>",
            "<|im_start|>assistant\nhi",
            "[INST] hi [/INST] ok",
            "<s> hi",
            "hi</s>",
            "a<|eot_id|>",
            "<bos>hi",
        ),
        *("ok<end_of_turn>", "<start_of_turn>model\nhi", "<<SYS>>be good<</SYS>>", "hi <|endoftext|> and other text"),
        *("[CLS] hi [SEP]", "hi <pad><pad>", "hi[gMASK]", "x <unk> y", "<｜User｜>hi", "<s>[INST] a [/INST] b</s>"),
    ),
    "placeholder": (
        *("[removed]", "[deleted]", "text [removed by moderator] x", "[deleted by user]", "[ Removed by Reddit ]"),
        *("[已删除]", "[content removed]"),
    ),
    "assistant_boilerplate": (
        *(
            "As an AI language model, I cannot",
            "As an AI, I do not have",
            "作为一个人工智能语言模型，我无法",
            "作为AI助手，我",
        ),
        *("As a large language model, I", "I am an AI language model", "我是一个由OpenAI训练的人工智能助手"),
    ),
    "invisible_characters": (
        *(
            "a\u200bb",
            "pass\u200dword",
            "你\u200c好",
            "a\u202eb",
            "x\u2066y",
            "hi\U000e0068\U000e0069",
            "a\u3164b",
            "\u200eabc",
        ),
        *("\ufeffhi", "a\ufe0f\ufe0f\ufe0f", "end\u200d"),
    ),
}
MENTIONED = {
    "role_tag": (
        *("ask the Human: nobody", "The user: a person", "Humans: all of us", "```\nHuman: hi\nAssistant: yo\n```"),
        *("### Summary:\nx", "Use this template: `Human: {q}`", "Assistant manager: Bob", "Response: ok"),
    ),
    "template_token": (
        *(
            "The <|im_end|> token marks the end.",
            "Use `<|im_start|>` here",
            "```\n<s>[INST] x [/INST]\n```",
            "a <| b |> c",
        ),
        *(
            "price <s>10</s> 8 euros",
            "<s>10</s> 8 euros",
            "BERT adds [CLS] and [SEP] tokens to it",
            'print("[MASK]") ok',
        ),
        *("特殊标记 <|im_end|> 表示结束，", "x[i] < 3", "vector<s> x", "if a<b> c"),
    ),
    "placeholder": ("a[removed_index]", "arr[deleted] = 1", "`[deleted]` is what the site shows"),
    "assistant_boilerplate": (
        *("An AI language model is a program.", "GPT-4 is used as an AI language model in", "I am an AI researcher"),
        *("作为人工智能的一个分支，机器学习", 'They say "As an AI language model, I" often'),
    ),
    "invisible_characters": (
        *(
            "می\u200cخواهم",
            "PDF\u200cها",
            "क्\u200dष",
            "👩\u200d👩\u200d👧",
            "שלום\u200f!",
            "العربية\u200e (x)",
            "🏳️\u200d🌈",
        ),
        *("❤️", "1️⃣", "葛\U000e0100城", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"),
    ),
}
LOOKS = {**TEXT_CHECKS, "role_tag": role_tag, "assistant_boilerplate": boilerplate}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in LEAKED.items() for text in texts])
def test_what_leaked_or_hides_is_found(name, text):
    assert LOOKS[name](text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in MENTIONED.items() for text in texts])
def test_what_is_spoken_of_or_belongs_to_the_script_is_not(name, text):
    assert LOOKS[name](text) is None


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


@given(st.text(st.sampled_from("ab1_ -!\n\t，好あ\u3000é。"), max_size=30))
def test_length_equals_counting_by_hand(text):
    spaced = "".join(" " if CJK.match(character) else character for character in text)
    words = [piece for piece in spaced.split() if any(character.isalnum() or character == "_" for character in piece)]
    assert length_in_words(text) == len(words) + sum(bool(CJK.match(character)) for character in text)
