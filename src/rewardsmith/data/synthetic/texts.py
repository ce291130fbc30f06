"""The words of the built-in data: two kinds of small orders, in English and in Chinese.

A topic has five attributes; each has the same number of values in both languages, and a body names all five. Values
are short and differ early, because a byte-level model of a hundred thousand parameters must learn to compare them in
a minute. Orders of the attributes differ between bodies, so that comparing by position alone does not work.
"""

from dataclasses import dataclass

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Phrases:
    """What one language needs for one topic: values by attribute, and bodies with every attribute in braces."""

    values: dict[str, tuple[str, ...]]
    bodies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frames:
    """(before, after) pairs put around a body, for requests and for answers; `padding` says nothing about an order."""

    requests: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]
    padding: tuple[str, ...]


NUMBERS = tuple("234567")
DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
DAYS_ZH = ("周一", "周二", "周三", "周四", "周五")

TOPICS: dict[str, dict[str, Phrases]] = {
    "drinks": {
        "en": Phrases(
            {
                "count": NUMBERS,
                "size": ("small", "medium", "large"),
                "heat": ("hot", "iced", "warm"),
                "drink": ("teas", "lattes", "mochas", "cocoas", "sodas"),
                "milk": ("oat", "soy", "rice", "cow"),
            },
            (
                "{count} {size} {heat} {drink} with {milk} milk",
                "{count} {drink}, {size}, {heat}, {milk} milk",
                "{size} {drink} with {milk} milk, {heat}, {count} cups",
            ),
        ),
        "zh": Phrases(
            {
                "count": NUMBERS,
                "size": ("小", "中", "大"),
                "heat": ("热", "冰", "温"),
                "drink": ("红茶", "拿铁", "摩卡", "可可", "豆沙"),
                "milk": ("燕麦", "黄豆", "椰子", "牛"),
            },
            (
                "{count}杯{size}杯{heat}{drink},加{milk}奶",
                "{count}杯{drink},{size}杯,{heat}的,{milk}奶",
                "{size}杯{drink}加{milk}奶,{heat}的,{count}杯",
            ),
        ),
    },
    "tickets": {
        "en": Phrases(
            {
                "count": NUMBERS,
                "city": ("London", "Paris", "Rome", "Berlin", "Oslo", "Madrid"),
                "day": DAYS_EN,
                "hour": NUMBERS,
                "seat": ("window", "aisle", "table"),
            },
            (
                "{count} tickets to {city} on {day} at {hour}, {seat} seats",
                "{day} at {hour}, {city}, {count} tickets, {seat} seats",
                "{count} {seat} seats to {city}, {day} at {hour}",
            ),
        ),
        "zh": Phrases(
            {
                "count": NUMBERS,
                "city": ("上海", "北京", "广州", "成都", "西安", "武汉"),
                "day": DAYS_ZH,
                "hour": NUMBERS,
                "seat": ("靠窗", "过道", "中间"),
            },
            (
                "{count}张{day}{hour}点去{city}的票,{seat}座",
                "{day}{hour}点,{city},{count}张票,{seat}座",
                "去{city}的{seat}座{count}张,{day}{hour}点",
            ),
        ),
    },
}

FRAMES = {
    "en": Frames(
        (
            ("", ", please."),
            ("Hi, ", ", thanks."),
            ("I’d like ", "."),
            ("May I have ", "?"),
            ("We need ", "."),
            ("Today: ", "."),
        ),
        (
            ("Sure: ", "."),
            ("Done, ", "."),
            ("Noted: ", ". Thanks!"),
            ("Here’s yours: ", "."),
            ("Of course, ", "."),
            ("OK, ", ". Is that all?"),
        ),
        (
            "It is always a great pleasure to be of service, and we are very happy that you came to us.",
            "Please do not hesitate to write to us again at any time, whatever it may be about.",
            "We take great care over every request, large or small, and thank you warmly for your trust.",
        ),
    ),
    "zh": Frames(
        (
            ("", ",谢谢。"),
            ("你好,", "。"),
            ("我想要", "。"),
            ("能要", "吗?"),
            ("您好,要", "。"),
            ("今天:", "。"),
        ),
        (
            ("好的:", "。"),
            ("已下单,", "。"),
            ("记下了:", "。谢谢!"),
            ("您的单:", "。"),
            ("没问题,", "。"),
            ("收到,", "。还要吗?"),
        ),
        (
            "能为您服务是我们莫大的荣幸,非常高兴您选择了我们。",
            "无论有什么事情,都欢迎您随时再次联系我们。",
            "我们认真对待每一个请求,不论大小,衷心感谢您的信任。",
        ),
    ),
}

SUMS = {
    "en": (
        "Start with {start}. {moves}. What do you get?",
        "{sign} {number}",
        ", then ",
        "{before} {sign} {number} = {after}",
    ),
    "zh": ("从 {start} 开始，{moves}，结果是多少？", "{sign} {number}", "，再 ", "{before} {sign} {number} = {after}"),
}
"""Of problems solved by steps: the question, one move, what joins two moves, and a step."""
