"""The settings of `rewardsmith generate`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.generate.candidates import Sampling
from rewardsmith.generate.remote.endpoint import Endpoint, is_address
from rewardsmith.settings.hardware import DtypeName, check_device

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OF_AN_API: Mapping[str, Any] = {
    "api_model": None, "requests_per_minute": None, "price_in": None, "price_out": None, "logprobs": False,
    "concurrency": 8, "timeout": 300.0, "retries": 5, "api_key_env": "OPENAI_API_KEY",
}  # fmt: skip
"""The settings that an API has and a local model has not, with their defaults."""
OF_A_MODEL: Mapping[str, Any] = {"batch": 32, "dtype": "fp32", "device": "auto", "trust_remote_code": False}
"""The same the other way round."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith generate`."""

    model: str
    """Language model: a folder, smollm2-135m, a Hub name, or the address of an OpenAI-compatible API (http://HOST/v1)."""
    source: str
    """File or folder with prompts: a column prompt, question or instruction, messages that end with the user, plain text,
    or any preference data, of which the prompts are taken."""
    output: Path
    """Output file in JSON Lines: each prompt with its responses, as score, evaluate and prepare read it."""
    n: int = 1
    """Number of responses per prompt."""
    max_tokens: int = 512
    """Most tokens of a response, reasoning included."""
    temperature: float = 1.0
    """Sampling temperature; 0 takes the likeliest token (greedy decoding)."""
    top_p: float = 1.0
    """Nucleus sampling: the smallest set of tokens with this probability; 1 keeps all."""
    top_k: int = 0
    """Sample from the k likeliest tokens; 0 keeps all."""
    seed: int = 0
    """Random seed; a sample depends on it, on the prompt and on its number only."""
    system: str | None = None
    """System prompt for conversations that have none."""
    thinking: bool | None = None
    """Ask a reasoning model's chat template for reasoning or for none (enable_thinking); default: as the template has it."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=task.text."""
    max_rows: int | None = None
    """Maximum number of rows to read; default: all."""
    batch: int = 32
    """Local model: number of responses generated together."""
    dtype: DtypeName = "fp32"
    """Local model: precision of the weights: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Local model: auto, cpu, cuda, cuda:1, mps."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""
    api_model: str | None = None
    """API: name of the model to ask for."""
    api_key_env: str = "OPENAI_API_KEY"
    """API: environment variable with the key, which is never stored or shown; without one, no key is sent."""
    concurrency: int = 8
    """API: most requests under way at a time."""
    requests_per_minute: float | None = None
    """API: most requests started per minute; default: no limit."""
    timeout: float = 300.0
    """API: seconds until a request is given up, over the whole response."""
    retries: int = 5
    """API: further attempts after a failure that may pass (429, 5xx, time-out, damaged response)."""
    logprobs: bool = False
    """API: ask for the log-probabilities of the generated tokens."""
    price_in: float | None = None
    """API: price of a million prompt tokens, to report the cost."""
    price_out: float | None = None
    """API: price of a million generated tokens, to report the cost."""
    cache: Path | None = None
    """File that keeps all candidates for later runs; default: one beside --output, removed when the output is complete."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace --output if it exists."""

    def __post_init__(self) -> None:
        check_device(self.device)
        self.sampling()
        if self.batch < 1 or (self.max_rows is not None and self.max_rows < 1):
            raise UsageError("--batch and --max-rows: expected at least 1")
        if not VARIABLE.fullmatch(self.api_key_env):
            raise UsageError(
                "--api-key-env is the name of an environment variable, such as OPENAI_API_KEY, and never the key itself"
            )
        self._refuse_others(OF_A_MODEL if is_address(self.model) else OF_AN_API)
        if is_address(self.model):
            self.endpoint()

    def _refuse_others(self, other: Mapping[str, Any]) -> None:
        """UsageError for a setting of the other kind of model that is given."""
        given = next((name for name, default in other.items() if getattr(self, name) != default), None)
        if given is None:
            return
        flag = "--" + given.replace("_", "-")
        if is_address(self.model):
            raise UsageError(f"{flag} applies to a local model only, and MODEL is the address of an API; remove it")
        raise UsageError(
            f"{flag} applies to an API only, and MODEL is not the address of one (http://HOST/v1); remove it"
        )

    def sampling(self) -> Sampling:
        """How candidates are drawn; UsageError where a value is out of range."""
        names = ("n", "max_tokens", "temperature", "top_p", "top_k", "seed", "thinking")
        return Sampling(**{name: getattr(self, name) for name in names})

    def endpoint(self) -> Endpoint:
        """The API that the settings name; UsageError where they name none."""
        if self.api_model is None:
            raise UsageError("--api-model is missing; pass the name under which the API knows the model")
        return Endpoint(
            url=self.model,
            model=self.api_model,
            key_name=self.api_key_env,
            concurrency=self.concurrency,
            per_minute=self.requests_per_minute,
            timeout=self.timeout,
            retries=self.retries,
            logprobs=self.logprobs,
        )
