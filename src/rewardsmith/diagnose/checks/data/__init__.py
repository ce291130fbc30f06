"""What the data of training and of the judgement are worth, and whether they are of one kind."""
