"""The servers that benchmarks/serving.py compares with: what one writes in ten minutes, and LitServe with its batching.

    python benchmarks/serving_peers.py plain|litserve MODEL PORT

Both open the folder with transformers' AutoModelForSequenceClassification, pad and truncate with its tokenizer, and score
the texts of a request: `plain` in a thread of FastAPI's for each request, `litserve` (0.2.19) up to 16 requests together.
"""

import sys

MAX_LENGTH = 1024


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


def litserve(folder: str, port: int) -> None:
    """LitServe, requests in batches."""
    import litserve

    class Api(litserve.LitAPI):
        def setup(self, device: str) -> None:
            self.scorer = Scorer(folder)

        def decode_request(self, request: dict) -> list[str]:
            return request["texts"]

        def batch(self, inputs: list[list[str]]) -> list[list[str]]:
            return inputs

        def predict(self, inputs: list[list[str]]) -> list[list[float]]:
            rewards = iter(self.scorer([text for texts in inputs for text in texts]))
            return [[next(rewards) for _ in texts] for texts in inputs]

        def unbatch(self, output: list[list[float]]) -> list[list[float]]:
            return output

        def encode_response(self, output: list[float]) -> dict[str, list[float]]:
            return {"rewards": output}

    api = Api(max_batch_size=16, batch_timeout=0.01)
    litserve.LitServer(api, accelerator="cpu", timeout=300).run(
        port=port, generate_client_file=False, log_level="warning"
    )


if __name__ == "__main__":
    {"plain": plain, "litserve": litserve}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
