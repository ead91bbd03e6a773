"""The field's data files: MMSA's, MMSA-FET's and TEXT's pickles, in and out."""
