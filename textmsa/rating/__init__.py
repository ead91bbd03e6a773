"""People rate clips, blind, on a page of this machine -> their ratings, a corpus' labels, and how far they agree."""
