"""Policies trained on preferences (`dpo`) or against rewards (`policy_gradient`): a model in, a better aligned one out."""
