"""`python -m rewardsmith` and the `rewardsmith` program."""

import os
import sys

# Read by the libraries when they are first imported: no usage counters, and no bars or warnings beside our own.
ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DO_NOT_TRACK": "1",
}


def main() -> int:
    """Run the command line on the words this program was started with; returns the exit code."""
    from rewardsmith.launch.children import leave_out_here

    leave_out_here()  # before anything else is imported
    from rewardsmith import cli, terminal
    from rewardsmith.launch import signals

    terminal.open_closed()
    sys.excepthook = terminal.show_bug
    signals.install()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
