"""The Python client of a reward server: conversations → rewards over HTTP, as a model in memory gives them.

In: an address, and conversations. Out: arrays of rewards, or an error: a server that is down, overloaded for too long, or
gives a wrong number of rewards or one that is not finite, is a ServerError, never a reward. Begin with `synchronous`.
"""

from rewardsmith.client.asynchronous import AsyncClient
from rewardsmith.client.exchange import ServedReward
from rewardsmith.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "ServedReward"]
