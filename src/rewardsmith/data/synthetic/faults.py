"""Faults of one row that the generator plants on request, each as a function from (record, random numbers) to a record.

They are made as such damage arises: by another decoder, a cut-off generation, a template that leaked, hasty annotators.
"""

import random
from dataclasses import replace

from rewardsmith.records import Comparison, Message, Record, Response

MARKUP = (
    *(
        "<|im_end|>",
        "<|eot_id|>",
        "</s>",
        "<end_of_turn>",
        " [/INST]",
        "<|endoftext|>",
        "<｜end▁of▁sentence｜>",
        " [SEP]",
    ),
    *(
        "\n\nHuman: 谢谢",
        "\n\nHuman: Thanks",
        "\n### Response:\nOK",
        "\nUSER: more",
        "\n用户：还有吗",
        "[removed]",
        "[已删除]",
    ),
)
HIDDEN = (
    *(
        "\u200b",
        "\ufeff",
        "\u202e",
        "\u2060",
        "\u00ad",
        "\u200f",
        "\U000e0041",
        "\x07",
        "\x1b",
        "\x00",
        "\x85",
        "\ufffd",
    ),
)
SELF = {"en": "As an AI language model, I do my best: ", "zh": "作为一个人工智能语言模型，我会尽力："}
FOREIGN = (
    "Ich habe die Bestellung nicht gefunden, aber ich werde es noch einmal versuchen.",
    "Je ne sais pas si la commande est prête, mais nous sommes là pour vous.",
    "No sé si el pedido está listo, pero la tienda es de las mejores.",
    "ご注文を承りました。少々お待ちください。",
    "주문이 접수되었습니다. 잠시만 기다려 주세요.",
    "Заказ принят, пожалуйста, подождите немного.",
)
LONG_WORDS = 300
REFUSALS = {
    "en": ("I'm sorry, but I can't help with that.", "As an AI language model, I cannot provide orders."),
    "zh": ("抱歉，我无法为您提供帮助。", "对不起，我不能回答这个问题。"),
}
STUTTER = 40
LOST_EVERY = 16


def with_text(record: Record, index: int, text: str) -> Record:
    """The record with another text for one response."""
    changed = replace(record.responses[index], messages=(Message("assistant", text),))
    return replace(record, responses=(*record.responses[:index], changed, *record.responses[index + 1 :]))


def lost_bytes(text: str) -> str:
    """UTF-8 read as Windows-1252 by a decoder that skips the bytes which that page leaves undefined, and some more."""
    data = text.encode()
    kept = (byte for at, byte in enumerate(data) if byte < 0x80 or at % LOST_EVERY)
    return bytes(kept).decode("cp1252", errors="ignore")


def truncated_encoding(record: Record, rng: random.Random) -> Record:
    """Every response misread, with bytes lost on the way."""
    lost = (Response((Message("assistant", lost_bytes(one.text)),), one.generator) for one in record.responses)
    return replace(record, responses=tuple(lost))


def leaked_markup(record: Record, rng: random.Random) -> Record:
    """A response that ends with markup, the next turn, or a site's placeholder."""
    index = rng.randrange(len(record.responses))
    return with_text(record, index, record.responses[index].text + rng.choice(MARKUP))


def hidden_characters(record: Record, rng: random.Random) -> Record:
    """A response with a character inside that nobody sees, or that stands for a lost one."""
    index = rng.randrange(len(record.responses))
    text = record.responses[index].text
    place = rng.randrange(len(text))
    return with_text(record, index, text[:place] + rng.choice(HIDDEN) + text[place:])


def near_identical(record: Record, rng: random.Random) -> Record:
    """All responses are the first one's text, but for the marks at the end."""
    text = record.responses[0].text
    for index in range(len(record.responses)):
        record = with_text(record, index, text + "!" * index)
    return record


def stuttering(record: Record, rng: random.Random) -> Record:
    """A response whose end is said over and over, as by a model that does not stop."""
    index = rng.randrange(len(record.responses))
    text = record.responses[index].text
    return with_text(record, index, text + (" " + text[-20:]) * STUTTER)


def declined(record: Record, rng: random.Random) -> Record:
    """A response that declines instead of answering."""
    refusals = REFUSALS[str(record.fields["language"])]
    return with_text(record, rng.randrange(len(record.responses)), rng.choice(refusals))


def divided_votes(record: Record, rng: random.Random) -> Record:
    """Judges who hardly agree: three for, two against, one undecided."""
    divided = tuple(replace(verdict, votes=(3, 2, 1)) for verdict in record.comparisons)
    return replace(record, comparisons=divided)


def ratings_against(record: Record, rng: random.Random) -> Record:
    """Ratings that rank the responses the other way round than the first comparison does."""
    verdict = record.comparisons[0]
    ratings = tuple(float(k == verdict.j) for k in range(len(record.responses)))
    return replace(record, ratings={verdict.attribute: ratings})


def misread_twice(text: str) -> str:
    """UTF-8 read as Latin-1, saved, and read so once more."""
    return text.encode().decode("latin-1").encode().decode("latin-1")


def misread_as_gbk(record: Record, rng: random.Random) -> Record:
    """Every response read as GBK, which drops what it cannot show."""
    for index, response in enumerate(record.responses):
        record = with_text(record, index, response.text.encode().decode("gbk", errors="ignore"))
    return record


def speaking_of_itself(record: Record, rng: random.Random) -> Record:
    """A response that begins by saying what a language model is."""
    index = rng.randrange(len(record.responses))
    return with_text(record, index, SELF[str(record.fields["language"])] + record.responses[index].text)


def foreign(record: Record, rng: random.Random) -> Record:
    """Every response in a language that is none of the data's."""
    text = rng.choice(FOREIGN)
    for index in range(len(record.responses)):
        record = with_text(record, index, f"{text} {index}")
    return record


def cut_short(record: Record, rng: random.Random) -> Record:
    """A response of one word."""
    return with_text(record, rng.randrange(len(record.responses)), rng.choice(("OK", "好", "No.", "…")))


def drawn_out(record: Record, rng: random.Random) -> Record:
    """A response that goes on for hundreds of words."""
    index = rng.randrange(len(record.responses))
    more = " ".join(str(rng.randrange(10**6)) for _ in range(LONG_WORDS))
    return with_text(record, index, f"{record.responses[index].text} {more}")


def single_votes(record: Record, rng: random.Random) -> Record:
    """Judgements of one person each."""
    return replace(record, comparisons=tuple(replace(verdict, votes=(1, 0, 0)) for verdict in record.comparisons))


def even_votes(record: Record, rng: random.Random) -> Record:
    """A preference for which as many were as were against."""
    return replace(record, comparisons=tuple(replace(verdict, votes=(3, 3, 0)) for verdict in record.comparisons))


def going_round(record: Record, rng: random.Random) -> Record:
    """Of three responses each is preferred to the next, and the last to the first."""
    circle = (Comparison(0, 1), Comparison(1, 2), Comparison(2, 0))
    return replace(record, comparisons=circle)


def retyped(record: Record, rng: random.Random) -> Record:
    """The same texts with other case, punctuation and spacing, as a second crawl of a site gives them."""
    change = rng.choice((str.upper, str.title, lambda text: text.replace(",", ", ") + " !", lambda text: f"  “{text}”"))
    prompt = tuple(replace(turn, content=change(turn.content)) for turn in record.prompt)
    for index, response in enumerate(record.responses):
        record = with_text(record, index, change(response.text) + ".")
    return replace(record, prompt=prompt)
