"""The code of a model card: how to get the right rewards without rewardsmith, and with it."""

from rewardsmith.scoring.contract import ScoringContract

HERE = 'MODEL = "."  # this folder, or its name on the hub'
"""The line that names the model; `on_hub` puts the hub name there."""


def on_hub(text: str, name: str) -> str:
    """A card's text with its code reading the model from the hub."""
    return text.replace(HERE, f'MODEL = "{name}"')


def plain_transformers(contract: ScoringContract, offset: float = 0.0) -> str:
    """Code that scores one conversation as the contract says, with transformers alone; `offset` is that of the sidecar."""
    keywords = template_keywords(contract)
    system = []
    if contract.default_system is not None:
        system = [f'    {{"role": "system", "content": {literal(contract.default_system)}}},']
    lines = [
        "import torch",
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer",
        "",
        HERE,
        "tokenizer = AutoTokenizer.from_pretrained(MODEL)",
        "model = AutoModelForSequenceClassification.from_pretrained(MODEL, dtype=torch.float32).eval()",
        "",
        "conversation = [",
        *system,
        '    {"role": "user", "content": "Name a fruit."},',
        '    {"role": "assistant", "content": "A pear, of course."},',
        "]",
        f"text = tokenizer.apply_chat_template(conversation, tokenize=False{keywords})",
        'inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")',
        "with torch.no_grad():",
        "    reward = model(**inputs).logits[0, 0].item()" + (f" + {offset!r}" if offset else ""),
    ]
    return "\n".join(lines)


def template_keywords(contract: ScoringContract) -> str:
    """The keywords that the contract gives to its template, as further arguments of a call."""
    return "".join(f", {name}={literal(value)}" for name, value in contract.template_kwargs.items())


def rewardsmith_alone() -> str:
    """Code that scores one conversation with rewardsmith, for a head that plain transformers does not build."""
    return "\n".join(
        [
            "import rewardsmith as rs",
            "",
            HERE,
            "conversation = [",
            '    {"role": "user", "content": "Name a fruit."},',
            '    {"role": "assistant", "content": "A pear, of course."},',
            "]",
            "reward = rs.RewardModel.load(MODEL).score([conversation])[0]",
        ]
    )


def literal(value: object) -> str:
    """A value as Python writes it, without backticks, which would end the block of code."""
    return repr(value).replace("`", "\\x60")


def spelled_tokens(contract: ScoringContract, offset: float = 0.0) -> str:
    """Code that scores a conversation whose texts spell special tokens as rewardsmith does; goes on from the first code.

    Such a text is put in as a placeholder, and tokenized by itself with `split_special_tokens`.
    """
    keywords = template_keywords(contract)
    return "\n".join(
        [
            "import re",
            "",
            "special = sorted((t.content for t in tokenizer.added_tokens_decoder.values() if t.special), key=len)",
            'spelled = re.compile("|".join(map(re.escape, reversed(special))))',
            "",
            "def render(turns):",
            f"    return tokenizer.apply_chat_template(turns, tokenize=False{keywords})",
            "",
            'strips = "  x  " not in render([{"role": "user", "content": "  x  "}])  # some templates do',
            "shown = [",
            '    {**turn, "content": f"\\ue000{k}\\ue001"} if spelled.search(turn["content"]) else turn',
            "    for k, turn in enumerate(conversation)",
            "]",
            "ids = []",
            'for n, part in enumerate(re.split("\\ue000([0-9]+)\\ue001", render(shown))):',
            "    if n % 2:  # a text that spells a special token, in the place of its placeholder",
            '        part = conversation[int(part)]["content"]',
            "        part = part.strip() if strips else part",
            '    ids += tokenizer(part, add_special_tokens=False, split_special_tokens=n % 2 == 1)["input_ids"]',
            "with torch.no_grad():",
            "    reward = model(torch.tensor([ids])).logits[0, 0].item()" + (f" + {offset!r}" if offset else ""),
        ]
    )


def with_rewardsmith() -> str:
    """Code that scores the same conversation with rewardsmith; goes on from the code above."""
    return "\n".join(
        [
            "import rewardsmith as rs",
            "",
            "rewards = rs.RewardModel.load(MODEL).score([conversation])  # one per conversation",
        ]
    )
