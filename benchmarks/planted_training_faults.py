"""Whether `rewardsmith diagnose` names faults that were planted in data, training, model folder or evaluation.

    python benchmarks/planted_training_faults.py plant --half dev [--kinds label_noise overfit] [--jobs 2]
    python benchmarks/planted_training_faults.py judge --half held
    python benchmarks/planted_training_faults.py table
    python benchmarks/planted_training_faults.py draw --half unseen --minutes 50

`plant` really runs every kind on the built-in data with the tiny model, and sound projects of different sizes and data, each
in a folder of its own under --root; which is which stands in an index beside the folders. A project that is in the index is
not made again. `judge` calls `rewardsmith diagnose` in each folder as its user would, and `table` holds the answers against
`planted/expected.yaml`, which was written before the runs. `draw` plants and judges one project after the other, with one
seed, in the order of a hash of their names, so that it can end at any time with a random sample; what the results file has
is not asked again. Figures go to `benchmarks/results/planted_training_faults.json`; docs/planted-faults.md says what they
mean.
"""

import argparse
import sys
from pathlib import Path

from planted import drawing, judging, planting, tables
from planted.kinds import SEEDS

DEFAULT_ROOT = Path("/tmp/rewardsmith-planted")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("plant", "judge", "table", "draw"))
    parser.add_argument("--half", choices=(*SEEDS, "all"), default="all")
    parser.add_argument("--kinds", nargs="+", default=None, help="kinds of faults, or clean; default: all")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="where the projects are kept")
    parser.add_argument("--seeds", type=int, default=None, help="seeds per dose; default: all")
    parser.add_argument("--again", action="store_true", help="judge: ask again where an answer is there")
    parser.add_argument("--minutes", type=float, default=60.0, help="draw: CPU time after which no project is begun")
    parser.add_argument("--more", action="store_true", help="table: count the projects of the results file too")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="judge: options of diagnose, last")
    arguments = parser.parse_args()
    halves = tuple(SEEDS) if arguments.half == "all" else (arguments.half,)
    if arguments.stage == "plant":
        return planting.plant_all(arguments.root, halves, arguments.kinds, arguments.seeds, arguments.jobs)
    if arguments.stage == "judge":
        more = arguments.options
        return judging.judge_all(
            arguments.root, halves, arguments.kinds, arguments.jobs, again=arguments.again, more=more
        )
    if arguments.stage == "draw":
        return drawing.draw_all(arguments.root, halves, minutes=arguments.minutes)
    return tables.write_all(arguments.root, halves, more=arguments.more)


if __name__ == "__main__":
    sys.exit(main())
