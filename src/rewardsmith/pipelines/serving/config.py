"""The settings of `serve`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewardsmith.errors import UsageError
from rewardsmith.settings.hardware import DtypeName, check_device


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith serve`."""

    models: tuple[str, ...]
    """Reward models: folders, run folders or Hub names; NAME=MODEL gives the name for requests. The first is the default."""
    host: str = "127.0.0.1"
    """Address to listen on; other computers reach 0.0.0.0 or :: only."""
    port: int = 8000
    """Port to listen on; 0 for any free port."""
    key_file: Path | None = None
    """File with the API key that every request except health checks must send (default: the environment variable
    REWARDSMITH_API_KEY, else no key)."""
    no_key: bool = False
    """Allow a --host that other computers can reach without an API key, for clients that cannot send one."""
    truncate: bool = False
    """Truncate texts above max_length as the scoring contract says, where a request does not decide; without this flag they
    are refused with status 422."""
    reference: tuple[str, ...] = ()
    """File of rewards, as `rewardsmith score` writes them, for z, percentile and p_better; NAME=FILE for one of several
    models (default: the rewards that training stored)."""
    batch_invariant: bool = False
    """Compute the texts of each request separately, so that its rewards have equal bits under any load; slower."""
    tokens_per_batch: int | None = None
    """Tokens of one forward pass (default: 1024 on CPUs, 16384 on GPUs)."""
    queue_tokens: int = 262_144
    """Tokens that may wait; then requests get status 503 with Retry-After."""
    queue_seconds: float = 10.0
    """Seconds that a new request would wait for, at the speed measured, from which on requests get status 503."""
    deadline: float = 60.0
    """Seconds after which a request that is still waiting gets status 503."""
    max_body: int = 2_000_000
    """Largest body of a request in bytes, after decompression."""
    max_texts: int = 4096
    """Largest number of texts in a request."""
    max_connections: int = 1000
    """Largest number of open connections."""
    header_timeout: float = 10.0
    """Seconds that a client has for the headers of a request."""
    body_timeout: float = 30.0
    """Seconds that a client has for the body of a request."""
    grace: float = 30.0
    """Seconds that open requests have to finish after SIGTERM or Ctrl-C."""
    log: Literal["json", "none"] = "json"
    """Log of requests on standard error: json (one line each, without texts and keys), none."""
    threads: int | None = None
    """Number of CPU threads (default: all cores)."""
    dtype: DtypeName = "fp32"
    """Precision of the backbone: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Serve even if the probes (conversations stored with their rewards to check the model) no longer give the stored
    rewards."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if not 0 <= self.port < 65536:
            raise UsageError(f"--port {self.port}: expected 0 to 65535")
        for name in ("tokens_per_batch", "queue_tokens", "max_body", "max_texts", "max_connections", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: expected at least 1")
        for name in ("queue_seconds", "deadline", "header_timeout", "body_timeout", "grace"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise UsageError(f"--{name.replace('_', '-')} {value}: expected a number above 0")
