"""MinHash of datatrove over one file of JSON lines; run by prepare_scale.py with the Python of an environment that has it.

    python datatrove_minhash.py ROWS.jsonl FOLDER N_GRAMS BUCKETS HASHES

The text of a row is its prompt and both responses. Its three steps run in this process, one after another. Prints one JSON
object; the clusters are in FOLDER/clusters.
"""

import json
import resource
import sys
import time
from pathlib import Path

from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.utils.hashing import HashConfig
from datatrove.utils.logging import logger


def whole_text(self, row, path, number):  # noqa: ANN001, ANN201
    """How the reader makes a document of a row."""
    return {"text": "\n".join((row["prompt"], row["chosen"], row["rejected"])), "id": str(number)}


def main() -> None:
    rows, folder = Path(sys.argv[1]), Path(sys.argv[2])
    grams, buckets, hashes = map(int, sys.argv[3:6])
    logger.remove()
    config = MinhashConfig(
        n_grams=grams, num_buckets=buckets, hashes_per_bucket=hashes, hash_config=HashConfig(precision=64)
    )
    reader = JsonlReader(str(rows.parent), glob_pattern=rows.name, adapter=whole_text)
    steps = {name: str(folder / name) for name in ("signatures", "buckets", "clusters")}
    begin, cpu = time.perf_counter(), time.process_time()
    signature = MinhashDedupSignature(steps["signatures"], config)
    signature.run(reader.run(None, 0, 1), 0, 1)
    for rank in range(buckets):
        MinhashDedupBuckets(steps["signatures"], steps["buckets"], config=config).run(None, rank, buckets)
    cluster = MinhashDedupCluster(steps["buckets"], steps["clusters"], config, save_cluster_id=True)
    cluster.run(None, 0, 1)
    figures = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures | {"peak_mb": peak}))


if __name__ == "__main__":
    main()
