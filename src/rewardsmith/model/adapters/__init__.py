"""Adapters (LoRA) and quantised weights: added, merged, dequantised. Begin with `lora`."""
