"""Critique-out-loud reward models (CLoud): a language model writes a critique, and a head reads the reward at its end.

After Ankner et al. 2024, arXiv 2408.11791, and their code (zankner/CLoud). In: records. Out: rewards, with the critiques
that they were read behind. Begin in `turns` (where a critique stands in a conversation) and `model` (`CritiqueModel`);
`critic` writes critiques with the language model inside a reward network, `folder` is how such a model lies on disk, `given`
reads critiques that the data bring along.
"""
