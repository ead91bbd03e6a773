"""A folder of clips as people have them -> a corpus: its `label.csv`, to fill in or to be checked."""
