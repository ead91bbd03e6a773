"""Errors that are the user's to mend, as against defects of ours."""


class UserError(Exception):
    """One line: what was given, what is allowed, what to do. The CLI prints it and exits with 2."""


class MissingModality(Exception):
    """A clip has no usable audio or video; the message is the reason that is recorded with the clip."""


class UnreadableClip(Exception):
    """Nothing of a clip's file can be decoded; the clip is skipped and listed with this reason."""


class ExtractorError(Exception):
    """An extractor broke down, or broke its contract, on a clip; the message tells which and how."""

    def __init__(self, modality: str, reason: str) -> None:
        super().__init__(modality, reason)
        self.modality, self.reason = modality, reason

    def __str__(self) -> str:
        return self.reason
