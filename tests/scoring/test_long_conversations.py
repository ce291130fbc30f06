"""Conversations of thousands of turns cost about what their text costs: no step looks at each turn once per turn."""

import numpy as np
import pytest

from builders import tiny
from rewardsmith.records import Comparison, Message, Record, Response
from rewardsmith.scoring.truncation import user_turns


def conversation(turns, *, ending=""):
    said = [Message("user" if k % 2 == 0 else "assistant", f"turn {k}: hello{ending}") for k in range(turns - 1)]
    answers = tuple(Response((Message("assistant", text),)) for text in ("good", "bad"))
    return Record(tuple(said), answers, (Comparison(0, 1),), source="made", line=1)


@pytest.fixture(scope="module")
def model():
    return tiny(n_layer=1)


class Counting:
    """A tokenizer that counts the characters it is given."""

    def __init__(self, tokenizer):
        self.tokenizer, self.characters = tokenizer, 0

    def __call__(self, texts, **options):
        self.characters += sum(map(len, [texts] if isinstance(texts, str) else texts))
        return self.tokenizer(texts, **options)

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)


@pytest.mark.parametrize("ending", ["", " <|im_end|>"])
def test_the_text_of_a_long_conversation_is_tokenized_a_few_times_and_not_once_per_turn(model, ending, monkeypatch):
    record = conversation(400, ending=ending)
    counting = Counting(model.tokenizer)
    monkeypatch.setattr(model.encoder.control, "tokenizer", counting)
    encoded = model.encoder.encode(record)
    assert encoded.cuts.prompt_turns[0] >= 390
    text = sum(len(message.content) for message in record.prompt)
    assert counting.characters < 40 * text  # one text per turn that is dropped: 200 times half of it


@pytest.mark.parametrize("turns", [2, 4, 6, 8, 20, 41])
def test_as_few_of_the_oldest_turns_go_as_must(model, turns):
    encoder = model.encoder
    record = conversation(turns, ending=" and so on, until it is long enough")
    encoded = encoder.encode(record)
    prompt = record.prompt
    expected = next(
        (n for n in (0, *user_turns(prompt)) if len(encoder.ids(prompt[n:])) <= encoder.contract.prompt_budget),
        user_turns(prompt)[-1] if user_turns(prompt) else 0,
    )
    if len(encoder.ids((*prompt, *record.responses[0].messages))) <= encoder.contract.max_length:
        expected = 0
    assert encoded.cuts.prompt_turns == (expected, expected)
    if len(encoder.ids(prompt[expected:])) <= encoder.contract.prompt_budget or not expected:
        np.testing.assert_array_equal(
            encoded.sequences[0], encoder.ids((*prompt[expected:], *record.responses[0].messages))
        )


def test_a_refused_conversation_is_named_in_one_short_line(model):
    from rewardsmith.errors import ContractError
    from rewardsmith.scoring.templates.renderer import Renderer

    refusing = "{{ raise_exception('no') }}"
    renderer = Renderer(model.tokenizer, refusing, kwargs={})
    with pytest.raises(ContractError, match=r"roles: user, assistant, .*, …\): no") as caught:
        renderer.render(conversation(1000).prompt)
    assert len(str(caught.value)) < 400
