"""The servers that benchmarks/serving.py compares with: what one writes in ten minutes, and LitServe with its batching.

    python benchmarks/serving_peers.py plain|litserve MODEL PORT

Both open the folder with transformers' AutoModelForSequenceClassification, pad and truncate with its tokenizer, and score
the texts of a request: `plain` in a thread of FastAPI's for each request, `litserve` (0.2.19) up to 16 requests together.
"""

import contextlib
import sys

MAX_LENGTH = 1024
LitApi = object
with contextlib.suppress(ImportError):
    from litserve import LitAPI as LitApi


class Scorer:
    """Texts to logits, as transformers' documentation does it."""

    def __init__(self, folder: str) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def __call__(self, texts: list[str]) -> list[float]:
        """One logit for each text."""
        import torch

        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        with torch.inference_mode():
            return self.model(**batch).logits[:, 0].tolist()


def plain(folder: str, port: int) -> None:
    """FastAPI, one call of the model for each request."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Request(BaseModel):
        texts: list[str]

    app, scorer = FastAPI(), Scorer(folder)

    @app.post("/predict")
    def predict(request: Request) -> dict[str, list[float]]:
        return {"rewards": scorer(request.texts)}

    uvicorn.run(app, port=port, log_level="warning")


class Api(LitApi):
    """LitServe's hooks; at the top of a module, since its workers are new processes."""

    def setup(self, device: str) -> None:
        """Open the model."""
        self.scorer = Scorer(sys.argv[2])

    def decode_request(self, request: dict) -> list[str]:
        """The texts of a request."""
        return request["texts"]

    def batch(self, inputs: list[list[str]]) -> list[list[str]]:
        """Requests together."""
        return inputs

    def predict(self, inputs: list[list[str]]) -> list[list[float]]:
        """All of their texts in one batch."""
        rewards = iter(self.scorer([text for texts in inputs for text in texts]))
        return [[next(rewards) for _ in texts] for texts in inputs]

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """Each request's."""
        return output

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        """The answer."""
        return {"rewards": output}


def litserve(folder: str, port: int) -> None:
    """LitServe, up to 16 requests in a batch."""
    import litserve

    api = Api(max_batch_size=16, batch_timeout=0.01)
    litserve.LitServer(api, accelerator="cpu", timeout=300).run(
        host="127.0.0.1", port=port, generate_client_file=False, log_level="warning"
    )


if __name__ == "__main__":
    {"plain": plain, "litserve": litserve}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
