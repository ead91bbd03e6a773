"""A service and a page: clips come in over HTTP, and go through the same `Predictor` as `textmsa predict`."""
