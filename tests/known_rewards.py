"""Reward functions known by hand, in the place of a model."""

import re

import numpy as np

from rewardsmith.records import Comparison, Message, Record, Response

WORDS_EN = "The river runs past the old mill. It freezes in some winters. People walk on it then."
WORDS_ZH = "河水流过古老的磨坊。有些冬天它会结冰。那时人们在上面行走。"


def scorer(reward):
    """A function of (prompt, response) as what the audit asks for rewards."""

    def score(records):
        return [
            np.array([float(reward("\n".join(m.content for m in r.prompt), a.text)) for a in r.responses])
            for r in records
        ]

    return score


def records(count, *, seed=0, language="en", responses=2):
    """Prompts whose responses end in a number, which is their quality; responses are of different lengths, by chance."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(count):
        numbers = rng.permutation(100)[:responses]
        words = WORDS_EN if language == "en" else WORDS_ZH
        texts = [f"{words[: rng.integers(40, 60)] if language == 'en' else words} {n}." for n in numbers]
        order = np.argsort(-numbers)
        comparisons = tuple(
            Comparison(int(order[i]), int(order[j])) for i in range(responses) for j in range(i + 1, responses)
        )
        answers = tuple(Response((Message("assistant", text),)) for text in texts)
        made.append(Record((Message("user", f"Tell me about river {k}."),), answers, comparisons))
    return made


def quality(prompt, text):
    """The last number in a text, as a deviation from 50 in units of 30; 0 for a text without one."""
    numbers = re.findall(r"\d+", text)
    return (int(numbers[-1]) - 50) / 30 if numbers else 0.0
