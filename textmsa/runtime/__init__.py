"""The computer's things, nothing of sentiment: files, processes, devices, progress."""
