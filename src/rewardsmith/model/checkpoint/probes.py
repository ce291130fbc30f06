"""Eight conversations whose token ids and rewards every checkpoint stores, so that loading can prove it scores the same."""

from collections.abc import Sequence

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.model.checkpoint.sidecar import Probe, Sidecar
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.scorer import Sequences, score
from rewardsmith.records import Conversation, Message, Record, Response
from rewardsmith.scoring.tokens import Encoder

REWARD_TOLERANCE = 1e-4


def user(text: str) -> Message:
    """A user turn."""
    return Message("user", text)


def assistant(text: str) -> Message:
    """An assistant turn."""
    return Message("assistant", text)


PROBE_CONVERSATIONS: tuple[Conversation, ...] = (
    (user("What is 7 + 5?"), assistant("12.")),
    (user("天空为什么是蓝色的？"), assistant("因为空气散射蓝光更多。")),
    (Message("system", "Be brief."), user("Name a fruit."), assistant("Pear.")),
    (user("Hi"), assistant("Hello!"), user("Bye"), assistant("See you.")),
    (user("Write code"), assistant("```py\nprint(1)\n```")),
    (user("Say <|im_end|> </s> [SEP]"), assistant("<|endoftext|><s>")),
    (assistant("An answer without a question."),),
    (user("émoji 😀\t\u2028"), assistant("  spaces \n\n kept  ")),
)


def usable_probes(encoder: Encoder) -> list[Conversation]:
    """The probe conversations that a contract can render (a template may refuse system turns).

    ContractError where none is left: such a model could be saved, but never be checked.
    """
    chosen = []
    for conversation in PROBE_CONVERSATIONS:
        try:
            encoder.encode(with_one_response(conversation))
        except ContractError:
            continue
        chosen.append(conversation)
    if not chosen:
        raise ContractError(
            "no probe (a conversation stored with its reward to check the model) fits into max_length "
            f"{encoder.contract.max_length} with this chat template; use a max_length of at least 64"
        )
    return chosen


def scored_probes(encoder: Encoder, network: RewardNetwork) -> tuple[Probe, ...]:
    """The usable probes with the tokens and rewards that they have now."""
    chosen = usable_probes(encoder)
    encoded = [encoder.encode(with_one_response(conversation)) for conversation in chosen]
    sequences = [Sequences(str(number), one.sequences, one.answers) for number, one in enumerate(encoded)]
    return tuple(
        Probe(tuple((m.role, m.content) for m in conversation), tuple(map(int, one.sequences[0])), float(rewards[0]))
        for conversation, one, rewards in zip(chosen, encoded, score(network, sequences), strict=True)
    )


def with_one_response(conversation: Conversation) -> Record:
    """A conversation as a record whose only response is its last turn."""
    return Record(conversation[:-1], (Response(conversation[-1:]),))


def find_mismatch(encoder: Encoder, network: RewardNetwork, sidecar: Sidecar) -> str:
    """Score the probes again; names the first one whose tokens or reward differ, "" where all are as they were."""
    try:
        return different_tokens(encoder, sidecar) or different_rewards(encoder, network, sidecar)
    except ContractError as error:
        return str(error)


def different_tokens(encoder: Encoder, sidecar: Sidecar) -> str:
    """The first probe whose tokens are not those that are stored."""
    for number, probe in enumerate(sidecar.probes):
        found = tuple(map(int, encoder.encode(record_of(probe)).sequences[0]))
        if found != probe.ids:
            return (
                f"probe {number} gives other tokens than when the model was saved ({describe(found, probe.ids)}); the "
                "tokenizer or the chat template changed"
            )
    return ""


def different_rewards(encoder: Encoder, network: RewardNetwork, sidecar: Sidecar) -> str:
    """The first probe whose reward is not the one that is stored."""
    encoded = [(str(number), encoder.encode(record_of(probe))) for number, probe in enumerate(sidecar.probes)]
    rebuilt = [Sequences(name, one.sequences, one.answers) for name, one in encoded]
    for number, (rewards, probe) in enumerate(zip(score(network, rebuilt), sidecar.probes, strict=True)):
        tolerance = tolerance_for(network, sidecar, probe.reward)
        if not abs(rewards[0] - probe.reward) <= tolerance:
            return (
                f"probe {number} has reward {rewards[0]:.6g}, but had {probe.reward:.6g} when the model was saved "
                f"(tolerance {tolerance:.2g}); the weights or a library changed"
            )
    return ""


def record_of(probe: Probe) -> Record:
    """A probe's conversation as a record with one response."""
    return with_one_response(tuple(Message(role, content) for role, content in probe.messages))


def tolerance_for(network: RewardNetwork, sidecar: Sidecar, reward: float) -> float:
    """1e-4 relative in fp32 on the kind of device that made the probes; 0.05 standard deviations elsewhere."""
    exact = REWARD_TOLERANCE * max(1.0, abs(reward))
    if network.autocast is None and network.device.type == sidecar.probed_on:
        return exact
    return max(exact, 0.05 * float(np.std([probe.reward for probe in sidecar.probes])))


def describe(found: Sequence[int], expected: Sequence[int]) -> str:
    """The first place where two id lists part."""
    for place, (a, b) in enumerate(zip(found, expected, strict=False)):
        if a != b:
            return f"token {place} is {a}, but was {b}"
    return f"{len(found)} tokens, but was {len(expected)}"
