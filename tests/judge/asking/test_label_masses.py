"""Label probabilities of a local model: those that the model itself gives, token by token, whatever is asked beside."""

import numpy as np
import pytest
import torch

from language_models import save_language_model
from rewardsmith.errors import ModelError
from rewardsmith.generate.local.model import open_language_model
from rewardsmith.judge.asking.labels import LabelQuestion
from rewardsmith.judge.asking.local import LocalLabels
from rewardsmith.judge.asking.trie import LabelPaths, label_paths
from rewardsmith.records import Message

TEN = tuple(map(str, range(1, 11)))
THINKING = "{% for m in messages %}{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<think>\n{% endif %}"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return open_language_model(str(save_language_model(tmp_path_factory.mktemp("lm"), sharp=2.0)), device="cpu")


def question(number, text, labels=TEN, cue=""):
    return LabelQuestion(number, (Message("user", text),), labels, cue)


def asked(scorer, *questions):
    found = {}
    scorer.score(questions, lambda one, masses: found.__setitem__(one.number, masses))
    return [found[one.number] for one in questions]


def by_hand(model, scorer, one):
    """The mass of each label by one whole pass a token: every spelling, less what longer labels have."""
    ids = scorer.renderer.render(one).ids

    def mass(form):
        total, behind = 0.0, list(ids)
        for token in model.tokenizer.encode(form, add_special_tokens=False):
            with torch.inference_mode():
                logits = model.hf(input_ids=torch.tensor([behind])).logits[0, -1].float()
            total += float(logits.log_softmax(-1)[token])
            behind.append(token)
        return np.exp(total)

    own = {form: mass(form) for label in one.labels for form in (label, f" {label}")}
    return [
        sum(
            own[form] - sum(own[other] for other in own if other != form and other.startswith(form))
            for form in (label, f" {label}")
        )
        for label in one.labels
    ]


def test_masses_are_those_of_the_model_also_for_labels_of_several_tokens(model):
    scorer = LocalLabels(model, batch=3)
    questions = [
        question(0, "Rate this."),
        question(1, "A longer question that needs some more tokens than the other one. " * 3, cue="Rating:"),
        question(2, "?", ("Yes", "No")),
        question(3, "好吗？", ("是", "否")),
    ]
    for one, found in zip(questions, asked(scorer, *questions), strict=True):
        assert found.masses == pytest.approx(by_hand(model, scorer, one), rel=1e-4, abs=1e-9)
        assert 0 < sum(found.masses) <= 1
        assert found.prompt_tokens > 0


def test_masses_do_not_depend_on_what_is_asked_beside(model):
    questions = [question(k, "word " * (3 * k + 1)) for k in range(7)]
    alone = [asked(LocalLabels(model), one)[0].masses for one in questions]
    together = [found.masses for found in asked(LocalLabels(model, batch=7), *questions)]
    assert np.array(together) == pytest.approx(np.array(alone), rel=1e-4, abs=1e-12)


def test_a_question_that_is_too_long_is_told(model):
    short, long = asked(LocalLabels(model), question(0, "x"), question(1, "x" * 600))
    assert short.masses
    assert (long.masses, long.problem) == ((), "failed")
    assert "512" in long.reason


def test_a_template_that_begins_reasoning_cannot_be_read(tmp_path):
    model = open_language_model(str(save_language_model(tmp_path, template=THINKING)), device="cpu")
    (found,) = asked(LocalLabels(model), question(0, "x"))
    assert found.problem == "failed"
    assert "thinking: false" in found.reason


class Words:
    """A tokenizer with a few whole words."""

    def __init__(self, *words):
        self.words = words

    def encode(self, text, add_special_tokens):
        return [self.words.index(text)] if text in self.words else [len(self.words) + ord(char) for char in text]

    def decode(self, ids, skip_special_tokens):
        n = len(self.words)
        return "".join(self.words[i] if i < n else chr(i - n) for i in ids)


def test_a_label_of_one_token_takes_nothing_off_a_shorter_one():
    paths = label_paths(Words("10", " 10"), ("1", "10"))
    assert sorted(map(len, paths.spelt)) == [1, 1, 1, 2]
    (space_one,) = (path for path in paths.spelt if len(path) == 2)
    assert paths.inner == [space_one[:1]]
    sure = np.full(len(paths.tokens), np.log(0.1))
    assert paths.masses({(): sure, space_one[:1]: sure}) == pytest.approx((0.1 + 0.01, 0.1 + 0.1))


def test_the_mass_of_a_longer_label_is_taken_off_once():
    # a = [1], ab = [1, 2], abc = [1, 2, 3], each with probability ½ of going on
    paths = LabelPaths(("a", "ab", "abc"), {(1,): 0, (1, 2): 1, (1, 2, 3): 2})
    half = np.log(np.full(3, 0.5))
    assert paths.inner == [(1,), (1, 2)]
    assert paths.masses({(): half, (1,): half, (1, 2): half}) == pytest.approx((0.25, 0.125, 0.125))


def test_labels_that_a_tokenizer_cannot_write_are_refused():
    class Deaf(Words):
        def decode(self, ids, skip_special_tokens):
            return "?"

    class Same(Words):
        def encode(self, text, add_special_tokens):
            return [1]

        def decode(self, ids, skip_special_tokens):
            return self.words[0] if self.asked.pop() else self.words[1]

        asked = [False, False, True, True]  # noqa: RUF012

    with pytest.raises(ModelError, match="does not write the label 'Yes'"):
        label_paths(Deaf(), ("Yes", "No"))
    with pytest.raises(ModelError, match="alike"):
        label_paths(Same("Yes", "No"), ("Yes", "No"))
