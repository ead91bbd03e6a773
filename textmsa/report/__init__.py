"""Pages to look at: of a run, and of a file of explanations."""
