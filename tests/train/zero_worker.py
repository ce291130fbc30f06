"""What two processes do in test_zero.py: `torchrun --nproc-per-node 2 zero_worker.py FOLDER`; all runs in one launch."""

import sys
from pathlib import Path

import orjson
from together_worker import fit, message_of

from rewardsmith.model.runtime.processes import joined

SMALL = {"reduce_bucket_size": 3000, "allgather_bucket_size": 3000}  # so that the tiny model fills several
CUT_ALL = {**SMALL, "stage3_param_persistence_threshold": 0, "sub_group_size": 20000}
HOST = {"offload_optimizer": {"device": "cpu"}}
STAGES = {
    "1": {"stage": 1, **SMALL},
    "2": {"stage": 2, **SMALL},
    "2-host": {"stage": 2, **SMALL, **HOST},
    "3": {"stage": 3, **CUT_ALL},
    "3-host": {"stage": 3, **CUT_ALL, **HOST, "offload_param": {"device": "cpu"}},
}
RUNS = [("plain", stage) for stage in STAGES]
RUNS += [(kind, stage) for stage in ("2", "3") for kind in ("lora", "bert-whole")]
RUNS += [(kind, "3") for kind in ("probe", "bf16", "again")]


def zero_fit(folder, kind, team, stage):
    return fit(folder, kind, team=team, parallel="deepspeed", zero=STAGES[stage])


def cut_facts(trainer):
    """How many numbers of weights and moments this process holds."""
    own = list(trainer.network.hf.parameters())
    learning = [p for p in own if p.requires_grad]
    return {
        "weights": sum(p.ds_tensor.numel() if hasattr(p, "ds_id") else p.numel() for p in own),
        "all": sum(getattr(p, "ds_numel", p.numel()) for p in own),
        "learning": sum(getattr(p, "ds_numel", p.numel()) for p in learning),
        "moments": sum(s["exp_avg"].numel() for s in trainer.optimizer.state.values()),
    }


def run_all(folder, team):
    seen = {}
    for kind, stage in RUNS:
        trainer = zero_fit(folder / f"{kind}-zero{stage}", kind, team, stage)
        trainer.run()
        seen[f"{kind}-zero{stage}"] = cut_facts(trainer)
        team.wait()
    for stage in STAGES:
        trainer = zero_fit(folder / f"resumed-zero{stage}", "plain", team, stage)
        seen[f"resumed-zero{stage}"] = trainer.run(resuming=True).resumed_from
        team.wait()
    seen["idle"] = message_of(lambda: zero_fit(folder / "idle", "bert", team, "2"))
    seen["half"] = message_of(lambda: zero_fit(folder / "half", "half", team, "2"))
    return seen


if __name__ == "__main__":
    place = Path(sys.argv[1])
    with joined("cpu") as (together, device):
        told = run_all(place, together)
        (place / f"seen-{together.rank}.json").write_bytes(orjson.dumps(told))
