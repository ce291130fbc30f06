"""A question behind every answer: the head then reads what the model makes of it, not what it would write next.

After "How convincing is this argument?" the hidden state of the last token is about the answer as a whole. The question
becomes part of the template, so that it is scored, stored and checked like everything else in the contract.
"""

import json
from typing import Any

from rewardsmith.errors import ContractError
from rewardsmith.records import Message
from rewardsmith.scoring.contract import template_of
from rewardsmith.scoring.control import ControlTokens
from rewardsmith.scoring.templates.renderer import Renderer

TURNS = (Message("user", "x"), Message("assistant", "y"))


def template_with(tokenizer: Any, kind: str, question: str) -> str:
    """The tokenizer's template with `question` as the user's next turn behind every answer, and the assistant's turn
    begun where the template does that.

    ContractError where the question spells a special token, or does not show in the rendered text.
    """
    template = template_of(tokenizer, kind)
    renderer = Renderer(tokenizer, template, kwargs={})
    control = ControlTokens(tokenizer, renderer.control_strings, renderer.special_pattern)
    if found := renderer.special_pattern.search(question) or control.forged_in(question):
        raise ContractError(f"the question contains the text of the special token {found[0]!r}; remove it")
    turn = f'{{"role": "user", "content": {json.dumps(question, ensure_ascii=False)}}}'
    asking = (
        "{% if messages and messages[-1]['role'] == 'assistant' %}{% set messages = messages + [" + turn + "] %}"
        "{% set add_generation_prompt = true %}{% endif %}" + template
    )
    rendered = Renderer(tokenizer, asking, kwargs={}).render(TURNS)
    if question.strip() not in rendered:
        raise ContractError("the chat template cannot append a question to a response; remove --question")
    return asking
