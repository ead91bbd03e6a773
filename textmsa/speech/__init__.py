"""What is said in a file: given, read from subtitles, or recognised; with times, language, and why where nothing is."""

from textmsa.speech.subtitles import read_subtitles, subtitles_beside

__all__ = ["read_subtitles", "subtitles_beside"]
