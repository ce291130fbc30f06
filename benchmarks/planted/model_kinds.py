"""Faults of the model folder: what was saved, exported or opened is not what was trained.

`way` says how the user meets it. "run": the folder inside the run was written wrongly, the figures of the run are those of
the model in memory; `diagnose run`. "evaluated": the wrong model was evaluated on the test file afterwards; `diagnose eval`.
Both folders are without reward.json, as another program saves them, unless the kind says otherwise.
"""

import json
import shutil
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load_file

from planted.project import Project, as_exported, edit_json, edit_weights
from rewardsmith.errors import RewardsmithError
from rewardsmith.pipelines.train.config import Lora

ANSWER_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{{ message['content'] if message['role'] == 'assistant' else '…' }}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
OPEN_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TEMPLATES = {"answer_only": ANSWER_TEMPLATE, "open": OPEN_TEMPLATE}
Tensors = dict[str, Any]


def broken(project: Project, way: str, change: Callable[[Tensors], None] | None, *, exported: bool = True) -> None:
    """A healthy run whose saved weights are then changed; evaluated again where the user did so."""
    project.healthy(epochs=2)
    model = project.folder / "run" / "model"
    if exported:
        as_exported(model)
    if change is not None:
        edit_weights(model, change)
    finish(project, way)


def finish(project: Project, way: str, **settings: Any) -> None:
    """Evaluate the changed model where `way` says so."""
    if way == "evaluated":
        shutil.copytree(project.folder / "run" / "model", project.folder / "model")
        project.evaluate("model", **settings)
        project.argv = ["eval"]


def drawn(project: Project, like: torch.Tensor, scale: float) -> torch.Tensor:
    """Normal numbers in the shape of a tensor, by the project's seed."""
    return scale * torch.randn(like.shape, generator=torch.Generator().manual_seed(project.seed))


def head_not_saved(project: Project, way: str) -> None:
    """The head was drawn anew on loading, as transformers does for weights that it does not find."""
    broken(project, way, lambda t: t.update({"score.weight": drawn(project, t["score.weight"], 0.02)}))


def head_scaled(project: Project, dose: tuple[str, float]) -> None:
    """The head was multiplied by a factor (1e-6: rewards that look constant; 8: margins far too sure)."""
    way, factor = dose
    broken(project, way, lambda t: t["score.weight"].mul_(factor))


def head_negated(project: Project, way: str) -> None:
    """The sign of the head was turned (rewards read as costs)."""
    broken(project, way, lambda t: t["score.weight"].neg_())


def layer_removed(project: Project, dose: tuple[str, int]) -> None:
    """One transformer layer is gone, and the config knows it."""
    way, layer = dose
    project.healthy(epochs=2)
    model = project.folder / "run" / "model"
    as_exported(model)
    edit_weights(model, lambda t: without_layer(t, layer))
    edit_json(model / "config.json", lambda config: config.update(num_hidden_layers=1))
    finish(project, way)


def without_layer(tensors: Tensors, layer: int) -> None:
    """Take a layer of two out, the other becomes the first."""
    for name in [name for name in tensors if name.startswith("model.layers.")]:
        tensor = tensors.pop(name)
        if not name.startswith(f"model.layers.{layer}."):
            tensors[name.replace("model.layers.1.", "model.layers.0.")] = tensor


def layer_untrained(project: Project, dose: tuple[str, int]) -> None:
    """The weights of one layer were not in the file and were drawn anew."""
    way, layer = dose

    def change(tensors: Tensors) -> None:
        for name, tensor in tensors.items():
            if name.startswith(f"model.layers.{layer}.") and "norm" not in name:
                tensors[name] = drawn(project, tensor, 0.1)

    broken(project, way, change)


def embeddings_redrawn(project: Project, way: str) -> None:
    """The embedding table was resized, and its rows drawn anew."""
    name = "model.embed_tokens.weight"
    broken(project, way, lambda t: t.update({name: drawn(project, t[name], float(t[name].std()))}))


def adapter_twice(project: Project, dose: tuple[str, int]) -> None:
    """A LoRA adapter was merged into the weights, and merged once more."""
    way, rank = dose
    project.give(*project.draw(500))
    project.train(epochs=2, lr=1e-2, lora=Lora(r=rank))
    run = project.folder / "run" / "model"
    before = tensors_of(project.folder / "backbone")
    as_exported(run)

    def change(tensors: Tensors) -> None:
        for name, tensor in tensors.items():
            if name in before:
                tensors[name] = 2 * tensor - before[name]

    edit_weights(run, change)
    finish(project, way)


def tensors_of(folder: Any) -> Tensors:
    """The tensors of a model folder."""
    return dict(load_file(folder / "model.safetensors"))


def coarse_weights(project: Project, dose: tuple[str, str]) -> None:
    """The weights went through a type of eight bits or fewer on the way."""
    way, name = dose
    kinds = {"e5m2": torch.float8_e5m2, "e4m3": torch.float8_e4m3fn}

    def change(tensors: Tensors) -> None:
        for key, tensor in tensors.items():
            if name == "sign":
                tensors[key] = tensor.sign() * tensor.abs().mean()
            else:
                tensors[key] = tensor.to(kinds[name]).to(torch.float32)

    broken(project, way, change)


def perturbed_allowed(project: Project, size: float) -> None:
    """The weights are not those that were saved, and the warning was waved through with --allow-mismatch."""
    project.healthy(epochs=2)
    model = project.folder / "run" / "model"
    (model / "manifest.json").unlink()
    edit_weights(
        model, lambda t: t.update({name: x + drawn(project, x, size * float(x.std())) for name, x in t.items()})
    )
    finish(project, "evaluated", allow_mismatch=True)


def template_changed(project: Project, dose: tuple[str, str]) -> None:
    """The chat template at use is not that of the training."""
    way, name = dose
    project.healthy(epochs=2)
    model = project.folder / "run" / "model"
    as_exported(model)
    (model / "chat_template.jinja").write_text(TEMPLATES[name])
    edit_json(model / "tokenizer_config.json", lambda config: config.update(chat_template=TEMPLATES[name]))
    finish(project, way)


def pad_token_changed(project: Project, dose: tuple[str, str]) -> None:
    """Another token is used for padding, one that texts contain; what is read is the last token that is none of it."""
    way, token = dose
    project.healthy(epochs=2)
    model = project.folder / "run" / "model"
    as_exported(model)
    vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    edit_json(model / "config.json", lambda config: config.update(pad_token_id=vocabulary[token]))
    edit_json(model / "tokenizer_config.json", lambda config: config.update(pad_token=token))
    finish(project, way)


def tokenizer_changed(project: Project, way: str) -> None:
    """The tokenizer's vocabulary has another order than the embeddings: a tokenizer of another model was copied in."""
    project.healthy(epochs=2)
    model = project.folder / "run" / "model"
    as_exported(model)

    def change(tokenizer: dict[str, Any]) -> None:
        vocabulary = tokenizer["model"]["vocab"]
        letters = [letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter in vocabulary]
        numbers = [vocabulary[letter] for letter in letters]
        vocabulary.update(zip(letters, numbers[project.seed % 7 + 3 :] + numbers[: project.seed % 7 + 3], strict=True))

    edit_json(model / "tokenizer.json", change)
    finish(project, way)


def stale_weights(project: Project, way: str) -> None:
    """The weights of the first steps were copied into the model folder instead of the best ones."""
    project.give(*project.draw())
    project.train(max_steps=4, output=project.folder / "early")
    project.train(epochs=2)
    model = project.folder / "run" / "model"
    as_exported(model)
    shutil.copyfile(project.folder / "early" / "model" / "model.safetensors", model / "model.safetensors")
    shutil.rmtree(project.folder / "early")
    finish(project, way)


def margins_miscalibrated(project: Project, factor: float) -> None:
    """The margins are far too sure, or not at all (a head multiplied on export)."""
    head_scaled(project, ("evaluated", factor))


def rewards_rounded(project: Project, decimals: int) -> None:
    """Rewards are so small beside a constant offset that fp32 keeps only steps of it."""
    project.healthy(epochs=2)
    model = project.folder / "run" / "model"
    (model / "manifest.json").unlink()
    edit_json(model / "reward.json", lambda sidecar: sidecar.update(offset=float(10**decimals), probes=[]))
    try:
        finish(project, "evaluated", allow_mismatch=True)
        project.facts["refused"] = False
    except RewardsmithError as error:
        project.facts |= {"refused": True, "said": str(error)}
