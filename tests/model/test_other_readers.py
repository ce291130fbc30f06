"""The saved folder gives the same rewards in the software that people open it with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from builders import from_config, tiny

ROOT = Path(__file__).parents[2]
OLD = "4.57.6"
ORACLE = ROOT / ".oracles" / f"transformers-{OLD}"
CONVERSATIONS = [
    [{"role": "user", "content": "你好, wörld 😀"}, {"role": "assistant", "content": "ok\n"}],
    [{"role": "user", "content": "Name a fruit."}, {"role": "assistant", "content": "A pear, of course."}],
]


def rotary():
    """A decoder whose rotary base is not the default: what 4.57 misreads in a folder written by 5.x."""
    config = LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, rope_parameters={"rope_type": "default", "rope_theta": 250000.0},
    )  # fmt: skip
    model = from_config(config, max_length=256)
    with torch.no_grad():
        model.network.head.weight.mul_(50)
        for layer in model.network.hf.model.layers:
            layer.self_attn.q_proj.weight.mul_(20)
    return model


@pytest.mark.parametrize("build", [tiny, rotary])
def test_transformers_4_57_gives_the_same_rewards(build, tmp_path):
    if not ORACLE.is_dir():
        pytest.skip(f"{ORACLE} is not there; make test installs it")
    model = build()
    model.save(tmp_path / "model")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("read_with_old_transformers.py")), str(tmp_path / "model"), OLD],
        input="".join(json.dumps(turns) + "\n" for turns in CONVERSATIONS),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ORACLE)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read = [json.loads(line) for line in done.stdout.splitlines()]
    for row, reward in zip(read, model.score(CONVERSATIONS), strict=True):
        assert abs(row["reward"] - reward) <= 1e-5


def test_trl_gives_the_same_rewards_on_conversational_data(tmp_path):
    """TRL's GRPOTrainer renders prompt + completion with the reward model's template and reads logits[:, 0]."""
    trl = pytest.importorskip("trl")
    from datasets import Dataset
    from transformers import LlamaConfig as Config
    from transformers import LlamaForCausalLM

    model = tiny()
    model.save(tmp_path / "model")
    policy_tokenizer = model.tokenizer
    policy = LlamaForCausalLM(
        Config(
            vocab_size=len(policy_tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, pad_token_id=0, bos_token_id=1, eos_token_id=3,
        )
    )  # fmt: skip
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    reward_tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    reward_model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    prompts = [turns[:1] for turns in CONVERSATIONS]
    completions = [turns[1:] for turns in CONVERSATIONS]
    trainer = trl.GRPOTrainer(
        model=policy,
        reward_funcs=reward_model,
        reward_processing_classes=reward_tokenizer,
        processing_class=policy_tokenizer,
        args=trl.GRPOConfig(
            output_dir=str(tmp_path / "grpo"), num_generations=2, per_device_train_batch_size=2, report_to=[],
            use_cpu=True, bf16=False, max_completion_length=8,
        ),
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
    )  # fmt: skip
    rewards = trainer._calculate_rewards(
        [{"prompt": prompt} for prompt in prompts], prompts, completions, [[1, 2], [1, 2]]
    )
    for found, expected in zip(rewards[:, 0].tolist(), model.score(CONVERSATIONS), strict=True):
        assert abs(found - expected) <= 1e-5
