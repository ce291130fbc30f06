"""Our own routes: /v1/score, /v1/rank, /v1/compare."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.records import Conversation
from rewardsmith.serve.app.schema import CompareBody, RankBody, ScoreBody, read, with_responses
from rewardsmith.serve.app.service import RequestTexts, Service
from rewardsmith.serve.engine.engine import Admission
from rewardsmith.serve.engine.work import TextOutput
from rewardsmith.serve.http.errors import JsonResponse
from rewardsmith.serve.models.registry import AnyServed
from rewardsmith.serve.models.served import TokenizedText
from rewardsmith.serve.protocols.protocol import Question

SPREAD = "std"
"""The column of every head and ensemble that knows how uncertain it is."""


async def score(service: Service, request: Request) -> Response:
    """Rewards of texts, in order."""
    with service.admitted(request) as admission:
        return await scored(service, request, await service.object_of(request), admission)


async def scored(service: Service, request: Request, content: dict[str, Any], admission: Admission) -> Response:
    """The same for a body that has been read."""
    body = read(ScoreBody, content)
    rendered = body.texts is not None
    asked = [Question(text=text) for text in body.texts] if rendered else questions_of(body.turns())
    job = await service.job(request, body.model, asked, admission, truncate=body.truncate, per_token=body.per_token)
    outputs = await service.outputs(request, job)
    return JsonResponse({**head_of(job), "results": results_of(job, outputs)})


async def rank(service: Service, request: Request) -> Response:
    """Responses to one prompt, best first."""
    with service.admitted(request) as admission:
        body = read(RankBody, await service.object_of(request))
        asked = questions_of(with_responses(body.prompt, body.responses))
        job = await service.job(request, body.model, asked, admission, truncate=body.truncate)
        found = results_of(job, await service.outputs(request, job))
        order = sorted(range(len(found)), key=lambda index: -found[index]["reward"])
        return JsonResponse({**head_of(job), "ranking": [{"index": index, **found[index]} for index in order]})


async def compare(service: Service, request: Request) -> Response:
    """The margin of two responses and the probability that the first is preferred."""
    with service.admitted(request) as admission:
        body = read(CompareBody, await service.object_of(request))
        asked = questions_of(with_responses(body.prompt, [body.first, body.second]))
        job = await service.job(request, body.model, asked, admission, truncate=body.truncate)
        first, second = results_of(job, await service.outputs(request, job))
        margin = first["reward"] - second["reward"]
        probability = p_first(job.model, job.texts, [first["reward"], second["reward"]])
        preferred = "tie" if margin == 0 else "first" if margin > 0 else "second"
        calibrated = job.model.calibration is not None
        return JsonResponse(
            {
                **head_of(job),
                **{"margin": margin, "p_first": probability, "calibrated": calibrated, "preferred": preferred},
                "results": [first, second],
            }
        )


def questions_of(conversations: Sequence[Conversation]) -> list[Question]:
    """Conversations as the models take them."""
    return [Question(turns=turns) for turns in conversations]


def p_first(model: AnyServed, texts: Sequence[TokenizedText], rewards: Sequence[float]) -> float:
    """P(the first of two responses is preferred) under the model's calibration; sigma(margin) of Bradley-Terry without."""
    calibration = model.calibration
    if calibration is None:
        return float(sigmoid(np.array(rewards[0] - rewards[1])))
    values = calibration.rewards(np.array(rewards), np.array([text.length for text in texts]))
    return float(calibration.probability(values[:1] - values[1:])[0])


def head_of(job: RequestTexts) -> dict[str, Any]:
    """Which model gave the answer, and how many tokens it scored."""
    model = job.model
    return {
        "model": model.name,
        "model_hash": model.model_hash,
        "contract_hash": model.contract_hash,
        "tokens": job.tokens,
    }


def results_of(job: RequestTexts, outputs: Sequence[TextOutput]) -> list[dict[str, Any]]:
    """The entry of each text."""
    return [result_of(job, text, output) for text, output in zip(job.texts, outputs, strict=True)]


def result_of(job: RequestTexts, text: TokenizedText, output: TextOutput) -> dict[str, Any]:
    """The entry of one text; what is not known is null."""
    standing = job.model.reference.standing(output.reward)
    found: dict[str, Any] = {
        "reward": output.reward,
        "columns": dict(output.columns),
        "uncertainty": output.columns.get(SPREAD),
        "z": known(standing.z),
        "percentile": known(standing.percentile),
        "p_better": known(standing.p_better),
        "tokens": text.tokens,
        "truncated": text.truncated,
    }
    if job.per_token:
        found["per_token"] = {"texts": list(text.pieces), "values": list(output.values)}
    return found


def known(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value
