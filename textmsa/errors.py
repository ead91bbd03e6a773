"""What can go wrong, by whose it is to mend. Anything else that is raised is a defect of ours.

TextMsaError
 |- UserError              the user's to mend; the command line prints its one line and ends with 2
 '- ClipError              of one clip; recorded with it, and all others go on
     |- UnreadableClip     nothing of its file can be decoded
     |- MissingModality    it has no usable audio or video
     |- ExtractorError     an extractor broke down on it
     |- AnswerError        a language model gave no usable answer on it
     '- WorkerDied         the process that worked on it died
"""


class TextMsaError(Exception):
    """Base of all errors that this package raises on purpose."""


class UserError(TextMsaError):
    """One line: what was given, what is allowed, what to do. The CLI prints it and exits with 2.

    Parameters
    ----------
    message
        The line. Where it can also be read on a page, or by a program, it names no options.
    options
        Then those of the command line that mend it, which the CLI adds.
    """

    def __init__(self, message: str = "", *, options: str = "") -> None:
        super().__init__(message)
        self.options = options


class ClipError(TextMsaError):
    """Something of one clip; the message is the reason that is recorded with it."""


class MissingModality(ClipError):
    """A clip has no usable audio or video; the message is the reason that is recorded with the clip."""


class UnreadableClip(ClipError):
    """Nothing of a clip's file can be decoded; the clip is skipped and listed with this reason."""


class ExtractorError(ClipError):
    """An extractor broke down, or broke its contract, on a clip; the message tells which and how."""

    def __init__(self, modality: str, reason: str) -> None:
        super().__init__(modality, reason)
        self.modality, self.reason = modality, reason

    def __str__(self) -> str:
        return self.reason


class AnswerError(ClipError):
    """A question on a clip got no usable answer; the message is the reason that is recorded with the clip."""


class WorkerDied(ClipError):
    """A worker process was killed or crashed on a task, twice; the message says so."""


def first_line(error: BaseException, limit: int = 200) -> str:
    """The first line of an error's message, or its kind where it has none: for reasons on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:limit] if lines else type(error).__name__


def reason_of(error: BaseException) -> str:
    """An error's kind and whole message on one line: the reason that is recorded with a clip."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
