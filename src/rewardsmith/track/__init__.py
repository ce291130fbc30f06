"""Trackers follow a run from a process of their own: they read what the run folder holds and can never touch the run."""
