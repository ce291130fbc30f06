"""Several members as one model: their rewards on one scale, combined. Begin in `network`.

`combination` is the arithmetic, `description` the file `ensemble.json`, `members` opens and checks the models that it names,
`lora_sets` puts several LoRA sets on one backbone.
"""
