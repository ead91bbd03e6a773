"""Where somebody speaks: Silero's voice activity detector, piece by piece, and spans of speech to recognise.

Shape suffixes: N audio samples at 16 kHz.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from textmsa.speech.weights import INSTALL, find_vad_model
from textmsa.types import FloatArray

SAMPLE_RATE = 16_000  # Hz; of the detector and of Whisper
WINDOW = 512  # samples that the detector judges at a time, 32 ms
CONTEXT = 64  # samples before them, which it sees too
SPEECH, SILENCE = 0.5, 0.35  # probability from which speech begins, and below which it ends
SHORTEST_SPEECH = 0.25  # s above SPEECH, of a span; shorter sounds are no words
PAUSE = 0.8  # s of silence at which a span ends
MARGIN = 0.3  # s heard before and after speech, so that no first or last sound is cut
LONGEST_SPAN = 28.0  # s; Whisper hears 30
SOFT_SPAN = 20.0  # s from which on a span ends at the least likely window
_MARGIN, _PAUSE = round(MARGIN * SAMPLE_RATE / WINDOW), round(PAUSE * SAMPLE_RATE / WINDOW)  # windows
_LONGEST, _SOFT = (int(seconds * SAMPLE_RATE / WINDOW) for seconds in (LONGEST_SPAN, SOFT_SPAN))


@dataclass(frozen=True)
class Span:
    """A stretch of sound in which somebody speaks, with what is just before and after it."""

    start: float
    """Seconds from the start of the file."""
    samples_N: FloatArray


class VoiceActivity:
    """Silero's detector in onnxruntime, on one thread. Raises UserError where it is not installed."""

    def __init__(self) -> None:
        path = find_vad_model()
        try:
            import onnxruntime
        except ImportError as error:
            from textmsa.errors import UserError

            raise UserError(f"speech recognition needs the package 'onnxruntime': {INSTALL}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def judged(self, pieces: Iterable[tuple[float, FloatArray]]) -> Iterator[tuple[float, FloatArray, float]]:
        """(start in s, samples (512,), probability of speech) of each window of sound at 16 kHz; the last is padded.

        The detector remembers what it heard before, over the borders of pieces.
        """
        state = np.zeros((2, 1, 128), np.float32)
        context_N = np.zeros(CONTEXT, np.float32)
        rate = np.array(SAMPLE_RATE, np.int64)
        for start, window_N in _windows(pieces):
            seen = np.concatenate([context_N, window_N])[None]
            probability, state = self._session.run(None, {"input": seen, "state": state, "sr": rate})
            context_N = window_N[-CONTEXT:]
            yield start, window_N, float(probability[0, 0])

    def spans(self, pieces: Iterable[tuple[float, FloatArray]]) -> Iterator[Span]:
        """Spans of speech of at most 28 s, in order; no more sound than one of them is held.

        Parameters
        ----------
        pieces
            (time in s, samples (N,) at 16 kHz), following one another, as `media.stream_sound` yields them.
        """
        gathered: list[tuple[float, FloatArray, float]] = []
        quiet, speaking = 0, False
        for window in self.judged(pieces):
            gathered.append(window)
            probability = window[2]
            if not speaking:
                if probability >= SPEECH:
                    speaking, quiet = True, 0
                else:
                    del gathered[: -_MARGIN or None]
                continue
            quiet = quiet + 1 if probability < SILENCE else 0
            if quiet >= _PAUSE:
                yield from _span(gathered[: len(gathered) - quiet + _MARGIN])
                gathered, speaking = gathered[-_MARGIN:], False
            elif len(gathered) >= _LONGEST:
                cut = _SOFT + int(np.argmin([probability for _, _, probability in gathered[_SOFT:]]))
                yield from _span(gathered[:cut])
                gathered = gathered[cut:]
        if speaking:
            yield from _span(gathered)


def _windows(pieces: Iterable[tuple[float, FloatArray]]) -> Iterator[tuple[float, FloatArray]]:
    """The sound in windows of 512 samples; the last is filled up with silence."""
    rest_N, time = np.zeros(0, np.float32), 0.0
    for start, samples_N in pieces:
        if not len(rest_N):
            time = start
        rest_N = np.concatenate([rest_N, samples_N])
        whole = len(rest_N) // WINDOW
        for place in range(whole):
            yield time + place * WINDOW / SAMPLE_RATE, rest_N[place * WINDOW : (place + 1) * WINDOW]
        time, rest_N = time + whole * WINDOW / SAMPLE_RATE, rest_N[whole * WINDOW :]
    if len(rest_N):
        yield time, np.pad(rest_N, (0, WINDOW - len(rest_N)))


def _span(windows: list[tuple[float, FloatArray, float]]) -> Iterator[Span]:
    """The windows as one span, where enough of them are speech."""
    spoken = sum(probability >= SPEECH for _, _, probability in windows) * WINDOW / SAMPLE_RATE
    if spoken >= SHORTEST_SPEECH:
        yield Span(windows[0][0], np.concatenate([samples_N for _, samples_N, _ in windows]))
