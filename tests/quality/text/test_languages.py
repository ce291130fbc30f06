import pytest

from rewardsmith.quality.text.languages import LANGUAGES, language_of

TEXTS = {
    "zh": ["奖励模型", "用 transformers 载入模型", "這是繁體中文。", "这家店叫「茶の味」，味道很好，价格也合适。"],
    "en": ["reward model", "the character 奖 means reward", "It’s a café.", "def f(x):\n    return x", "OK"],
    "ja": ["こんにちは世界", "東京は日本の首都です。"],
    "ko": ["안녕하세요"],
    "ru": ["Привет, world"],
    "uk": ["Привіт, як справи? Дуже дякую."],
    "ar": ["مرحبا بالعالم، كيف حالك؟"],
    "fa": ["می‌خواهم یک کتاب بخرم"],
    "he": ["שלום עולם"],
    "el": ["Καλημέρα κόσμε"],
    "th": ["สวัสดีครับ"],
    "hi": ["नमस्ते दुनिया"],
    "fr": ["Je ne sais pas où est la bibliothèque.", "Il est dans le jardin avec son chat."],
    "de": ["Ich weiß es nicht, aber das ist gut.", "Das ist ein Test."],
    "es": ["La biblioteca está en el centro de la ciudad."],
    "pt": ["Não sei onde é a biblioteca, mas você pode ir."],
    "it": ["Questo è il libro che non ho letto."],
    "vi": ["Tôi không biết bạn ở đâu."],
    "tr": ["Bu kitap çok güzel değil mi?"],
    "pl": ["Nie wiem, gdzie jest książka."],
    "other": ["1 + 1 = 2", "１＋１", "", ":-(", "తెలుగు భాష"],
}


@pytest.mark.parametrize(("language", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_the_language_is_told(language, text):
    assert language_of(text) == language
    assert language in LANGUAGES


CODE = (
    "import os\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n\n\nprint(read(os.name))\n"
)


@pytest.mark.parametrize(
    "text", [f"用下面的代码读取文件：\n```python\n{CODE}```\n", f"用下面的代码读取文件：\n{CODE}就可以了。"]
)
def test_chinese_around_code_is_chinese_and_code_alone_is_english(text):
    assert language_of(text) == "zh"
    assert language_of(f"```python\n{CODE}```") == language_of(CODE) == "en"
