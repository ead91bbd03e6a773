"""`make bench`: every fast path beside the plain way, timed in the same run."""
