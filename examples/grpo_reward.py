"""A rewardsmith model as the reward function of TRL's GRPOTrainer (or RLOOTrainer).

    python examples/grpo_reward.py MODEL

MODEL is a run folder, a model folder or a name on the Hugging Face hub. The script calls the function once, in the form in
which the trainer calls it, and prints the rewards. For training, pass it on:

    trainer = GRPOTrainer(model=policy, reward_funcs=reward_function(MODEL), train_dataset=dataset, args=config)

Policy and reward model may have different tokenizers and chat templates: the function gets text and scores it by the reward
model's own scoring contract (how a conversation becomes tokens, stored with the model).
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import rewardsmith as rs

Turns = str | Sequence[dict[str, str]]
"""Text, or messages as {"role": …, "content": …}: TRL passes what the data set holds."""


def reward_function(model_name: str, *, device: str = "auto") -> Callable[..., list[float]]:
    """A function (prompts, completions) -> one reward each."""
    model = rs.RewardModel.load(model_name, device=device)

    def reward(prompts: Sequence[Turns], completions: Sequence[Turns], **columns: Any) -> list[float]:
        """Raw rewards; `columns` are the other columns of the data set, which play no part here."""
        pairs = zip(prompts, completions, strict=True)
        return model.score([messages(prompt, "user") + messages(text, "assistant") for prompt, text in pairs]).tolist()

    return reward


def messages(turns: Turns, role: str) -> list[dict[str, str]]:
    """Messages as they are; text as one message of `role`."""
    return [{"role": role, "content": turns}] if isinstance(turns, str) else list(turns)


def main(model_name: str) -> None:
    """Score two completions of one prompt."""
    prompt = [{"role": "user", "content": "What is 2 + 2?"}]
    completions = [[{"role": "assistant", "content": text}] for text in ("2 + 2 = 4.", "That is 2 2.")]
    print(reward_function(model_name)([prompt, prompt], completions))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
