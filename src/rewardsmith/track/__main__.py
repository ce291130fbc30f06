"""`python -m rewardsmith.track`: the process in which one tracker follows one run; started by `following`."""

from rewardsmith.track.worker import main

if __name__ == "__main__":
    main()
