"""What the help of a command has beyond its Config: an example, a page of the documentation, and groups of options.

Tests hold this against the Configs: every option of a grouped command is in exactly one group, every example is a command
line that the command takes, and every page exists. An option without a group would be listed under `Options`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Guide:
    """One command: the words of an example behind `rewardsmith`, its page, and the keys of its options by group."""

    example: str
    page: str
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


DATA, MODEL, HEAD, OPTIMISATION, LOSS = "Data", "Model", "Head", "Optimisation", "Loss"
SPEED, RUN, OUTPUT, TRACKING = "Memory and speed", "Run", "Output", "Tracking"
SEARCH = "Search"

TRAIN: Mapping[str, tuple[str, ...]] = {
    DATA: (
        *("dataset", "validation", "test", "map", "attribute", "max_length", "reasoning"),
        *("frac", "max_per_source", "merge_prompts", "split_by", "split_seed", "test_groups", "strict"),
    ),
    MODEL: (
        *(
            "model",
            "layers",
            "freeze_layers",
            "lora.r",
            "lora.alpha",
            "lora.target",
            "lora.dropout",
            "quantize",
        ),
        *("n_layer", "n_head", "n_embd", "block_size", "trust_remote_code"),
    ),
    HEAD: (
        *("head", "head.attributes", "head.weights", "head.hidden", "head.gate_steps", "head.penalize", "head.levels"),
        *("head.latent", "head.aggregate", "head_start"),
        *("members", "members.kind", "bootstrap", "question", "read_layers", "pooling", "dropout"),
    ),
    OPTIMISATION: (
        *("lr", "warmup", "epochs", "max_steps", "batch"),
        *("weight_decay", "clip", "evals", "patience"),
    ),
    LOSS: (
        *("loss", "loss.center", "loss.margin_scale", "loss.smoothing", "loss.prior_votes", "loss.tie_share"),
        *("loss.hinge_lead", "loss.gamma", "loss.flip_rate", "loss.power", "loss.top"),
        *("loss.members", "loss.strength", "loss.contrast", "loss.temperature", "loss.view_dropout"),
        *("loss.length_weight", "loss.orthogonal_weight", "loss.given_label", "loss.sign_weight", "loss.kl_weight"),
        *("loss.lm", "loss.lm_share", "loss.grm_sft", "loss.grm_dpo", "loss.grm_beta"),
    ),
    "Critiques (--head cloud)": (
        *("critique.source", "critique.lm_weight", "critique.sft_epochs", "critique.sft_lr", "critique.tokens"),
        *("critique.samples", "critique.sampling_temperature", "critique.language"),
    ),
    "Wrong labels": ("augment", "augment_weight", "noise", "noise.rate", "noise.ramp", "noise.curriculum"),
    SPEED: (
        *("device", "dtype", "tokens_per_microbatch", "gradient_checkpointing", "activation_offload"),
        *("parallel", "deepspeed_config", "threads"),
    ),
    RUN: (
        "output",
        "dry_run",
        "resume",
        "overwrite",
        "keep",
        "report",
        "seed",
        "push_to_hub",
        "push_public",
    ),
    TRACKING: ("track", "track_project", "run_name", "track_uri"),
}
"""The options of `train`, which `tune` takes too."""

GUIDES: Mapping[str, Guide] = {
    "demo": Guide("demo -o demo --prompts 2000", "docs/tutorial.md"),
    "prepare": Guide(
        "prepare pairs.jsonl -o data --remove refusal",
        "docs/data-quality.md",
        {
            DATA: ("map", "max_rows", "max_per_source", "strict"),
            "Splits": ("fractions", "split_by", "test_groups", "seed"),
            "Checks": (
                *("remove", "repair", "languages"),
                *("min_chars", "max_chars", "min_words", "max_words"),
                *("max_similarity", "max_repetition", "max_compression", "min_agreement", "min_votes"),
            ),
            "Duplicates and contamination": ("keep_duplicates", "near_threshold", "decontaminate", "overlap"),
            "Labels": ("label_noise", "label_model", "margins"),
            RUN: ("output", "dry_run", "overwrite", "signals", "workers", "engine"),
        },
    ),
    "inspect": Guide("inspect data/train.jsonl --model tiny --row 3", "docs/tutorial.md"),
    "train": Guide(
        "train --model tiny --dataset data -o runs/first",
        "docs/training.md",
        TRAIN,
    ),
    "pairs": Guide(
        "pairs candidates.jsonl --model runs/first -o pairs.jsonl --margin 0.5",
        "docs/dpo.md",
        {
            DATA: ("column", "map", "strict"),
            MODEL: ("model", "trust_remote_code"),
            "Choice of pairs": (
                *("select", "margin", "per_prompt", "length_control", "length_ratio"),
                *("require", "violations", "truncated"),
            ),
            SPEED: ("device", "dtype"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "dpo": Guide(
        "dpo smollm2-135m pairs.jsonl -o aligned --beta 0.1",
        "docs/dpo.md",
        {
            DATA: (*("validation", "validation_share", "map", "attribute", "max_length", "thinking", "strict"),),
            MODEL: ("lora.r", "lora.alpha", "lora.target", "lora.dropout", "trust_remote_code"),
            LOSS: ("loss", "beta", "label_smoothing", "length_normalized", "sft"),
            OPTIMISATION: (
                *("lr", "warmup", "epochs", "max_steps", "batch"),
                *("weight_decay", "clip", "evals", "patience"),
            ),
            SPEED: ("device", "dtype", "tokens_per_microbatch", "gradient_checkpointing", "threads"),
            RUN: ("output", "resume", "overwrite", "keep", "seed", "kl_prompts", "kl_tokens"),
        },
    ),
    "self-reward": Guide(
        "self-reward smollm2-135m prompts.jsonl -o loop --rewards rewards.yaml --independent rewards.yaml",
        "docs/self-rewarding.md",
        {
            DATA: ("map", "prompts_per_iteration", "eval_prompts", "eval_share", "labelled", "max_length"),
            "Loop": (
                *("variant", "iterations", "rewards", "independent", "eval_samples"),
                *("min_pairs", "max_kl", "stop_worse"),
            ),
            "Sampling": ("n", "max_tokens", "temperature", "top_p", "system", "thinking", "seed"),
            "Choice of pairs": ("margin", "length_control", "length_ratio"),
            MODEL: ("lora.r", "lora.alpha", "lora.target", "lora.dropout", "trust_remote_code"),
            OPTIMISATION: ("beta", "sft", "lr", "epochs", "batch"),
            SPEED: ("device", "dtype", "generation_batch", "tokens_per_microbatch", "threads"),
            RUN: ("output", "resume", "overwrite"),
        },
    ),
    "tune": Guide(
        "tune --model tiny --dataset data -o search --search lr=1e-4..1e-2:log batch=8,16",
        "docs/tuning.md",
        {
            SEARCH: (
                *("search", "space", "trials", "minutes", "sampler", "pruner", "metric", "jobs", "keep_trials"),
                "lr_only",
            ),
            **TRAIN,
        },
    ),
    "score": Guide(
        "score runs/first data/test.jsonl -o rewards.jsonl",
        "docs/models.md",
        {
            DATA: ("map", "strict"),
            MODEL: ("allow_mismatch", "trust_remote_code"),
            SPEED: ("device", "dtype", "tokens_per_batch", "engine", "workers"),
            "Ensemble": ("combine", "combine.std_weight"),
            OUTPUT: ("output", "best_of", "per_token", "calibrated", "overwrite"),
        },
    ),
    "critique": Guide(
        "critique smollm2-135m pairs.jsonl -o critiques.jsonl",
        "docs/cloud.md",
        {
            DATA: ("map", "max_rows", "strict"),
            "Sampling": ("language", "max_tokens", "temperature", "top_p", "top_k", "seed", "system", "thinking"),
            MODEL: ("trust_remote_code",),
            SPEED: ("device", "dtype", "batch"),
            "API requests": (
                *("api_model", "api_key_env", "concurrency", "requests_per_minute", "timeout", "retries"),
                *("price_in", "price_out"),
            ),
            OUTPUT: ("output", "cache", "overwrite"),
        },
    ),
    "generate": Guide(
        "generate smollm2-135m prompts.jsonl -o candidates.jsonl --n 4",
        "docs/generate.md",
        {
            DATA: ("map", "max_rows", "strict"),
            "Sampling": ("n", "max_tokens", "temperature", "top_p", "top_k", "seed", "system", "thinking"),
            MODEL: ("trust_remote_code",),
            SPEED: ("device", "dtype", "batch"),
            "API requests": (
                *("api_model", "api_key_env", "concurrency", "requests_per_minute", "timeout", "retries", "logprobs"),
                *("price_in", "price_out"),
            ),
            OUTPUT: ("output", "cache", "overwrite"),
        },
    ),
    "judge": Guide(
        "judge judge.yaml pairs.jsonl -o verdicts.jsonl",
        "docs/judges.md",
        {
            DATA: ("map", "attribute", "max_records", "strict"),
            "Labels": ("label", "tie"),
            SPEED: ("device", "dtype"),
            MODEL: ("trust_remote_code",),
            OUTPUT: ("output", "show", "cache", "overwrite"),
        },
    ),
    "best-of-n": Guide(
        "best-of-n runs/first candidates.jsonl -o best",
        "docs/best-of-n.md",
        {
            DATA: ("map", "strict"),
            "Choice": ("n", "method", "keep", "threshold", "beta", "seed"),
            "Candidates": ("generator", "max_tokens", "temperature", "top_p", "api_model"),
            MODEL: ("allow_mismatch", "trust_remote_code"),
            SPEED: ("device", "dtype"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "policy-bench": Guide(
        "policy-bench runs/first -o bench --seeds 3",
        "docs/policy-bench.md",
        {
            "Task": ("language", "seeds", "seed"),
            "Objective": ("objective", "std_weight", "cost", "cost_limit"),
            "Policy": ("algorithm", "steps", "prompts", "responses", "lr", "kl", "clip", "epochs"),
            "Own reward models": ("preferences", "members", "scrambled", "padded", "flipped"),
            MODEL: ("trust_remote_code",),
            SPEED: ("device", "dtype"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "monitor": Guide("monitor bench/runs/single-0.jsonl", "docs/monitor.md"),
    "merge": Guide(
        "merge runs/first runs/second -o merged",
        "docs/ensembles.md",
        {
            DATA: ("data", "validation", "map", "attribute"),
            MODEL: ("device", "trust_remote_code"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "ensemble": Guide(
        "ensemble runs/first runs/second -o runs/both --combine mean-std",
        "docs/ensembles.md",
        {
            DATA: ("validation", "map", "attribute"),
            "Ensemble": ("combine", "combine.std_weight"),
            MODEL: ("device", "trust_remote_code"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "card": Guide("card runs/first --license apache-2.0", "docs/sharing.md"),
    "push": Guide("push runs/first ORG/NAME", "docs/sharing.md"),
    "import": Guide("import classifier -o imported --label 1 --minus 0", "docs/models.md"),
    "export": Guide("export runs/first -o critic", "docs/models.md"),
    "models": Guide("models get smollm2-135m", "docs/models.md"),
    "evaluate": Guide(
        "evaluate runs/first data -o runs/first-test",
        "docs/metrics.md",
        {
            DATA: ("benchmark", "split", "validation", "map", "attribute", "strict"),
            MODEL: ("calibrated", "allow_mismatch", "trust_remote_code"),
            "Ensemble": ("combine", "combine.std_weight"),
            SPEED: ("device", "dtype"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "serve": Guide(
        "serve runs/first --port 8000",
        "docs/serving.md",
        {
            MODEL: ("reference", "truncate", "allow_mismatch", "trust_remote_code"),
            "Access": ("host", "port", "key_file", "no_key"),
            "Queue": ("queue_tokens", "queue_seconds", "deadline", "batch_invariant"),
            "Limits": ("max_body", "max_texts", "max_connections", "header_timeout", "body_timeout"),
            SPEED: ("device", "dtype", "tokens_per_batch", "threads"),
            RUN: ("grace", "log"),
        },
    ),
    "parity": Guide("parity runs/first http://localhost:8000", "docs/serving.md"),
    "calibrate": Guide(
        "calibrate runs/first data --method length --method temperature -o calibrated",
        "docs/calibration.md",
        {
            DATA: ("split", "overlap", "map", "attribute", "strict"),
            "Calibration": ("method", "smoother", "smoothing", "length_unit", "seed"),
            MODEL: ("trust_remote_code",),
            SPEED: ("device", "dtype"),
            OUTPUT: ("output", "update", "overwrite"),
        },
    ),
    "audit": Guide(
        "audit runs/first data -o runs/first-audit",
        "docs/audit.md",
        {
            DATA: ("split", "map", "attribute", "prompts", "rewrites", "policies", "strict"),
            "Audit": ("part", "bound", "explain", "text", "prompt", "method", "seed"),
            MODEL: ("allow_mismatch", "trust_remote_code"),
            SPEED: ("device", "dtype"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "learning-curve": Guide("learning-curve runs/first --seeds 3", "docs/training.md"),
    "diagnose": Guide("diagnose runs/first", "docs/diagnosis.md"),
    "verify": Guide("verify runs/first", "docs/models.md"),
    "compare": Guide("compare runs/first runs/second", "docs/metrics.md"),
    "config": Guide("config train", "docs/usage.md"),
    "completion": Guide("completion bash", "docs/usage.md"),
    "bench": Guide(
        "bench --quick -o bench.json",
        "docs/performance.md",
        {
            MODEL: ("model", "layers"),
            RUN: ("quick", "repetitions"),
            SPEED: ("device", "dtype", "threads"),
            OUTPUT: ("output", "overwrite"),
        },
    ),
    "version": Guide("version --verbose", "docs/install.md"),
}
