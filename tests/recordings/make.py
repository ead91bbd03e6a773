"""Write the recordings of this folder and contents.json, what is in them: `python tests/recordings/make.py`.

Rendered by the demo corpus' own voice and face (textmsa/demo_corpus), with sentences of our own; see README.md. The
files are committed: another eSpeak NG or encoder gives other bytes, and tests/test_recordings.py then says whether they
still mean the same. Shape suffixes: N samples, H height, W width, C colours.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import skimage.data
import soundfile

from textmsa.demo_corpus.face import SIZE, Looks, load_portrait
from textmsa.demo_corpus.plan import ClipPlan, Speaker
from textmsa.demo_corpus.render import FPS, render, voice
from textmsa.demo_corpus.voice import SAMPLE_RATE

HERE = Path(__file__).parent
SPEAKER = Speaker("speaker", "test", "f1", 50.0, Looks())
"""At 50 a voice of eSpeak NG has the pitch that its file states."""
READER = replace(SPEAKER, variant="m3")
PITCH = {"f1": (140, 200), "m3": (80, 122)}
"""Hz, lowest and highest of plain speech, as espeak-ng-data/voices/!v says."""
SMILING = ClipPlan(
    speaker=0,
    clip_id="speaker",
    text="I love our mornings by the river, and I will not miss one!",
    t=0.0,
    s=1.0,
    a=0.0,
    v=3.0,
    k=0.1,
    label=0.0,
    duration=3.2,
    voice_apex=0.9,
    face_apex=2.3,
    lead=0.5,
    seed=1,
)
"""Plain in voice but for the raised stretch at 0.9 s; a full smile and raised brows at 2.3 s."""
READING = replace(SMILING, clip_id="speech", text="The train leaves at nine. Is there any coffee left?", duration=3.0)
OVER_PICTURE = replace(SMILING, clip_id="no_face", text="And we have lift off.", duration=2.0, voice_apex=1.0)


def speaking_face(path: Path) -> None:
    """A clip of the demo corpus, without the empty box that fills its files up."""
    render(SMILING, SPEAKER, load_portrait(), path)
    content = path.read_bytes()
    padding = content.rindex(b"free") - 4
    assert padding + int.from_bytes(content[padding : padding + 4], "big") == len(content)
    path.write_bytes(content[:padding])


def speech_alone(path: Path) -> None:
    """Speech without a picture, 16 bit."""
    soundfile.write(path, voice(READING, READER)[0], SAMPLE_RATE, subtype="PCM_16")


def rocket_with_voice(path: Path) -> None:
    """A view that glides over a photograph in which nobody is, with speech."""
    rocket_HWC = skimage.data.rocket()
    frames = round(OVER_PICTURE.duration * FPS)
    tops = np.linspace(0, rocket_HWC.shape[0] - SIZE, frames).round().astype(int)
    views = [np.ascontiguousarray(rocket_HWC[top : top + SIZE, 160 : 160 + SIZE]) for top in tops]
    encode(path, views, voice(OVER_PICTURE, READER)[0])


def encode(path: Path, views: list[npt.NDArray[np.uint8]], voice_N: npt.NDArray[np.float32]) -> None:
    """Write pictures (H, W, C) and sound as an mp4 file."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=FPS, options={"crf": "30", "threads": "1"})
        picture.height, picture.width, picture.pix_fmt = SIZE, SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=64_000)
        for view in views:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(picture.encode())
        samples = av.AudioFrame.from_ndarray(voice_N[None], format="fltp", layout="mono")
        samples.sample_rate = SAMPLE_RATE
        container.mux(sound.encode(samples))
        container.mux(sound.encode())


def main() -> None:
    """Write the three recordings and what is in them."""
    made = {
        "speaker.mp4": (SMILING, SPEAKER, speaking_face),
        "speech.flac": (READING, READER, speech_alone),
        "no_face.mp4": (OVER_PICTURE, READER, rocket_with_voice),
    }
    contents = {}
    for name, (plan, speaker, write) in made.items():
        write(HERE / name)
        kept = ("text", "duration", "voice_apex", *(("face_apex",) if write is speaking_face else ()))
        contents[name] = {key: asdict(plan)[key] for key in kept} | {"pitch": PITCH[speaker.variant]}
    (HERE / "contents.json").write_text(json.dumps(contents, indent=1) + "\n")


if __name__ == "__main__":
    main()
