"""Language models that explain, refine, translate and score: one file a backend."""
