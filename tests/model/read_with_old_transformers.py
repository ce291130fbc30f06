"""Run by test_other_readers.py with transformers 4.57.6 on the path: rewards of conversations, as JSON lines in and out."""

import json
import sys

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

assert transformers.__version__ == sys.argv[2], transformers.__version__
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
for line in sys.stdin:
    ids = tokenizer.apply_chat_template(json.loads(line), tokenize=True, return_tensors="pt")
    with torch.no_grad():
        sys.stdout.write(json.dumps({"reward": model(input_ids=ids).logits.item(), "tokens": ids.shape[1]}) + "\n")
