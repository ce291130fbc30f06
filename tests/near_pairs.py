"""Preference pairs with planted near-duplicates: drawn words, a small edit in every part, both languages."""

import random

from rewardsmith.records import Comparison, Message, Record, Response

STEMS = ("river", "stone", "cloud", "lamp", "garden", "wheel", "paper", "copper")
ENGLISH = [f"{stem}{ending}" for stem in STEMS for ending in ("s", "ed", "ing", "er", "ful")]
CHINESE = [chr(0x4E00 + 37 * n) for n in range(400)]


def pair(prompt, better, worse, line=1, source="f", **comparison):
    answers = tuple(Response((Message("assistant", text),)) for text in (better, worse))
    return Record((Message("user", prompt),), answers, (Comparison(0, 1, **comparison),), source=source, line=line)


def sentence(draw, chinese, count=40):
    return ("" if chinese else " ").join(draw.choices(CHINESE if chinese else ENGLISH, k=count))


def edited(draw, text, chinese):
    """The text with one unit of forty replaced, which leaves a Jaccard similarity of 37/41 to 38/40 where all differ."""
    found = list(text) if chinese else text.split()
    found[draw.randrange(len(found))] = "新" if chinese else "novel"
    return ("" if chinese else " ").join(found)


def planted(count, twins, seed=0):
    """`count` pairs and edited copies of the first `twins` of them, every other one Chinese; lines from 1."""
    draw = random.Random(seed)
    texts = [[sentence(draw, n % 2 == 0) for _ in range(3)] for n in range(count)]
    copies = [[edited(draw, text, n % 2 == 0) for text in texts[n]] for n in range(twins)]
    return [pair(*parts, line=line) for line, parts in enumerate([*texts, *copies], 1)]
