"""`python -m rewardsmith` and the `rewardsmith` program."""

import sys

from rewardsmith import cli


def main() -> int:
    """Run the command line on the words this program was started with; returns the exit code."""
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
