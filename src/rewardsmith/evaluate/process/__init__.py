"""How well the steps of solutions are judged: step values and labels as arrays in, figures out. Begin in `steps`."""
