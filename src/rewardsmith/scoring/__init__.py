"""What is scored: the contract, tokens, prefix trees."""
