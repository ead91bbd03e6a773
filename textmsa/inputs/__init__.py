"""Prepared clips -> what the network reads: time grid, texts, word pieces, padding, views."""
