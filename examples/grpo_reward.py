"""A rewardsmith model as the reward function of TRL's GRPOTrainer (or RLOOTrainer).

    python examples/grpo_reward.py MODEL

MODEL is a run folder, a model folder, a name on the Hugging Face hub, or the address of a server (rewardsmith serve). The
script calls the function once, in the form in which the trainer calls it, and prints the rewards. For training, pass it on:

    trainer = GRPOTrainer(model=policy, reward_funcs=trl_reward(MODEL), train_dataset=dataset, args=config)

Policy and reward model may have different tokenizers and chat templates: the function gets text and scores it by the reward
model's own scoring contract (how a conversation becomes tokens, stored with the model). A model of several attributes gives
one function for each: reward_funcs=trl_rewards(MODEL).
"""

import sys

from rewardsmith.rl import trl_reward


def main(model_name: str) -> None:
    """Score two completions of one prompt."""
    prompt = [{"role": "user", "content": "What is 2 + 2?"}]
    completions = [[{"role": "assistant", "content": text}] for text in ("2 + 2 = 4.", "That is 2 2.")]
    print(trl_reward(model_name)(prompts=[prompt, prompt], completions=completions))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
