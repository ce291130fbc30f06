"""This process among others: which of several it is, how signals end it, how another is started, what it must not tell."""

from rewardsmith.launch.place import Place, Voice, begin, let_speak, place, speaks

__all__ = ["Place", "Voice", "begin", "let_speak", "place", "speaks"]
