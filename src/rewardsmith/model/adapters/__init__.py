"""Adapters (LoRA) and weights in few bits: put on, merged, dequantised. Begin with `lora`."""
