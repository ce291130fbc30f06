"""Clean Chinese, Japanese and Korean rows put together from phrases, signs, names, code and numbers as people mix them."""

import random


def words(text: str) -> tuple[str, ...]:
    """What stands between spaces."""
    return tuple(text.split())


PHRASES = {
    "zh": words(
        """
        今天天气很好 我们去公园走走吧 这个问题怎么解决 奖励模型给回复打分 请用一句话说明
        模型在训练集上过拟合了 谢谢你的帮助 他昨天买了一本书 价格比上个月低 请把下面的文字翻译成英文
        這個問題應該如何解決 請說明你們的理由 臺灣的夏天很熱 水的沸点是多少 请写一首关于秋天的诗
        我不同意这个说法 参考答案如下 单位换算 会议改到下周三 讀取檔案時發生錯誤 王喆和李堃是同事 朱镕基
        犇羴鱻 鑫淼焱垚 龘靐齉爨 锟铻之剑 浣熊和獾 琊琅璁瓘 缬草与薤白 鈥是一种稀土元素 嫑骂人 囧 錕鋙刀
        蹀躞 鳜鱼 饕餮 魑魅魍魉 耄耋之年 氆氇 醍醐灌顶 龃龉 觊觎 邂逅 徘徊 蜻蜓 琵琶 鸳鸯 踌躇 忐忑 囹圄
        貔貅 妯娌
        """
    ),
    "ja": words(
        """
        今日はいい天気ですね これは日本語の文章です カタカナも混ざっています 東京駅で会いましょう ﾊﾝｶｸｶﾅ
        ﾃﾞｰﾀｾｯﾄ ｺﾝﾋﾟｭｰﾀｰ ｱｲｳｴｵ 報酬モデルの学習 どうすればいいですか 髙橋さんと﨑山さん 渡邉・渡邊
        斎藤と齋藤 々〆ヶ 昇進の試験に勝つ習慣 値段は ありがとう ございます ゔぃおろん ヴァイオリン
        薔薇と檸檬 憂鬱な躊躇 麒麟と鳳凰 魑魅魍魎 ﾎﾟｯﾌﾟ ｷﾞｬｸﾞ 〒 ㍻ ㈱ ① Ⅳ ㎏ ㌔ 〜 ～ ゟ ヿ
        """
    ),
    "ko": words(
        """
        안녕하세요 오늘 날씨가 좋네요 보상 모델을 학습합니다 이 문제를 어떻게 해결하나요 가격은 얼마입니까
        감사합니다 大韓民國 漢字를 混用한 文章 學校 金氏와 李氏 뷁 쀍 꿹 ㅋㅋㅋㅋ ㅠㅠ ㅎㅎ ㄱㄴㄷ 밥을
        먹었다 괜찮아요 삶은 계란 훑어보다 닭갈비 鷄肋 龜鑑 饗宴 躊躇 矛盾 櫻花 憂鬱症 ﾡ 獨島 釜山 濟州
        """
    ),
}
NAMES = words(
    """
    Zoë René Müller Łukasz Çelik Nguyễn Ñandú Ångström Øystein Škoda CAFÉ NESCAFÉ POKÉMON ÜBER SÃO
    MANHÃ ÎLE ÖL Å Ä ß É iPhone GPT-4 Python C++ naïve café Größe Élan Москва Ελλάδα
    """
)
PAIRS = (
    "“”",
    "‘’",
    "「」",
    "『』",
    "《》",
    "〈〉",
    "（）",
    "()",
    "【】",
    "«»",
    "‹›",
    "„“",
    '""',
    "”“",
    "””",
    "““",
    "＂＂",
    "〝〟",
    "[]",
)
MONEY = words(
    """
    ¥ ￥ £ € $ ₩ ￦ ¢ ￠ ￡ ₹ 円 元 원
    """
)
SIGNS = words(
    """
    ， 。 、 ； ： ？ ！ … …… —— – — · ・ ～ ~ , . ; : ? ! % ％ ° ℃ °C ™ ® © § ¶ † ‡ •
    ± × ÷ ¬ ¼ ½ ² ³ ¹ º ª µ Ω √ ∑ ≈ ≠ → ← ★ ● ※ 々 № ＋ ＝ ＆ ＃ ＠ ￣ ｡ ､ ･ ｢ ｣ ´
    ¨ ¸ ¯ ¦ ¡ ¿ ﹏ ︰ 〇
    """
)
EMOJI = (
    "😀",
    "👍🏽",
    "👩‍👩‍👧",
    "🇨🇳",
    "🇰🇷",
    "❤️",
    "✨",
    "(＾▽＾)",
    "¯\\_(ツ)_/¯",
    "ಠ_ಠ",
    "(╯°□°）╯︵ ┻━┻",
    "orz",
    "٩(◕‿◕)۶",
)
CODE = (
    "`x = 5`",
    "print('好')",
    "<b>粗体</b>",
    "&amp;",
    "C:\\用户\\a.txt",
    "https://例子.cn/?q=中文",
    "a[0] ≥ b",
    '{"键": "値"}',
    "\\u4f60",
    "\t",
    "\n",
    "１２３ＡＢＣ",
    "ｆｕｌｌ　ｗｉｄｔｈ",
    "　",
    " ",
    "",
    "├── src\n└── 数据",
    "│",
)


def piece(draw: random.Random, language: str) -> str:
    """Some text without spaces around it."""
    kinds = (
        lambda: draw.choice(PHRASES[language]),
        lambda: draw.choice(PHRASES[language]),
        lambda: draw.choice(NAMES),
        lambda: draw.choice(MONEY) + str(draw.randrange(1000)),
        lambda: str(draw.randrange(1000)) + draw.choice(MONEY),
        lambda: draw.choice(SIGNS),
        lambda: draw.choice(SIGNS),
        lambda: draw.choice(EMOJI),
        lambda: draw.choice(CODE),
        lambda: quoted(draw, language),
        lambda: str(draw.randrange(10_000)),
    )
    return draw.choice(kinds)()


def quoted(draw: random.Random, language: str) -> str:
    """A piece between quotes or brackets, now and then with only one of them."""
    marks = draw.choice(PAIRS)
    opening, closing = marks[0], marks[1]
    return (
        draw.choice(("", opening, opening, opening))
        + piece(draw, language)
        + draw.choice(("", closing, closing, closing))
    )


def row(draw: random.Random, language: str) -> str:
    """One row: between 1 and 12 pieces, most of them with nothing in between."""
    return "".join(piece(draw, language) + draw.choice(("", "", "", " ")) for _ in range(draw.randint(1, 12)))


def rows(language: str, count: int, seed: int = 0) -> list[str]:
    """Some different draws of a language."""
    draw = random.Random(f"{seed}:{language}")
    return [row(draw, language) for _ in range(count)]
