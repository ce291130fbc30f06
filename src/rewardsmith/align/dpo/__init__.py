"""Direct preference optimisation on the loop of `train`: a language model whose reward is implicit.

`policy` is the network (its reward of a response is beta * log of the probability ratio), `opening` makes one of a folder,
`encoding` turns records into token ids as the model generates them, `reference` computes what the start says of them once,
`losses` names the losses, `fit` runs the loop with the figures of preference optimisation.
"""
