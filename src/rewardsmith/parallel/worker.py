"""The program of a worker: it takes pieces from a connection, does them, and sends the results back.

python -m rewardsmith.parallel.worker FD        # started by rewardsmith.parallel.processes only
"""

import queue
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from rewardsmith.errors import RewardsmithError, UsageError


def main() -> None:
    """Work until the other end closes."""
    connection = Connection(int(sys.argv[1]))
    try:
        function, context = connection.recv()
        connection.send(None)
        pieces: queue.Queue[Any] = queue.Queue()
        # Pieces are taken in a thread of its own: where both ends send at once, nobody would be left to receive.
        threading.Thread(target=receive, args=(connection, pieces), daemon=True).start()
        while (piece := pieces.get()) is not None:
            connection.send(outcome(function, context, piece[0]))
    except (EOFError, OSError):
        pass  # whoever started this program is gone


def receive(connection: Connection, pieces: "queue.Queue[Any]") -> None:
    """Pass on what comes; None once nothing more can come."""
    try:
        while True:
            pieces.put((connection.recv(),))
    except (EOFError, OSError):
        pieces.put(None)


def outcome(function: Any, context: Any, piece: Any) -> Any:
    """The result for a piece, or the error in its place."""
    try:
        return function(context, piece)
    except (RewardsmithError, UsageError, OSError, MemoryError) as error:
        return error
    except Exception as error:
        # A bug: its own kind may not survive the way, its traceback has to.
        return RuntimeError(f"{type(error).__name__}: {error}\n\nin a worker process:\n{traceback.format_exc()}")


if __name__ == "__main__":
    main()
