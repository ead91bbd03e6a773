"""Who rates at the moment, and what comes next for each: what the page asks for, without HTTP."""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textmsa.corpora import Corpus
from textmsa.errors import UserError
from textmsa.rating.plan import Turn, left_of, seconds_left, turns_of
from textmsa.rating.ratings import RaterFile, rater_name, raters_of
from textmsa.serve.limits import Refusal
from textmsa.types import Clip

SOUND = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac")
MOST_SECONDS = 86_400.0


@dataclass
class Session:
    """A rater at work."""

    key: str
    file: RaterFile
    turns: list[Turn]


class Desk:
    """Hands out clips and takes ratings.

    Parameters
    ----------
    corpus
        Its clips' files are there; the others are left out.
    folder
        Of the corpus, as it was given.
    repeats
        How many clips each rater sees twice.

    Raises UserError where no clip can be shown, or the scale has no whole steps.
    """

    def __init__(self, corpus: Corpus, folder: Path, repeats: int) -> None:
        low, high = corpus.score_range
        if not (low.is_integer() and high.is_integer() and high - low <= 20):
            raise UserError(
                f"{folder}: scores in [{low:g}, {high:g}] cannot be rated in whole steps; name others as score_range "
                "in corpus.json, such as [-3, 3]"
            )
        self.corpus, self.folder, self.repeats = corpus, folder, repeats
        self.scores = list(range(int(low), int(high) + 1))
        self.clips: dict[str, Clip] = {clip.id: clip for clip in corpus.clips if clip.path.is_file()}
        self.absent = len(corpus.clips) - len(self.clips)
        self.by_key = {self.key_of(clip): clip for clip in self.clips}
        self.sessions: dict[str, Session] = {}

    def key_of(self, clip: str) -> str:
        """What a clip is called on the page: nothing of its name, which may tell what it is meant to be."""
        return hashlib.sha256(f"{self.folder.resolve()}\n{clip}".encode()).hexdigest()[:16]

    def open(self, given: str, *, take_over: bool, before: str | None) -> dict[str, Any]:
        """Begin, or go on, as a rater.

        Parameters
        ----------
        given
            The rater's name.
        take_over
            Also where somebody of that name is at work; they are told.
        before
            The session that the same window had.

        It raises Refusal with 422 for no name, with 409 where somebody of that name is at work.
        """
        try:
            at_work = [session.file.name for session in self.sessions.values()]
            name = rater_name(given, [*raters_of(self.folder), *at_work])
            file = RaterFile(self.folder, name, self.corpus.score_range)
        except UserError as error:
            raise Refusal(422, str(error)) from error
        other = next((one for one in self.sessions.values() if one.file.name == name), None)
        if other is not None:
            if not take_over and other.key != before:
                raise Refusal(409, f"{name} is rating in another window: close it, or take over here")
            del self.sessions[other.key]
        session = Session(secrets.token_urlsafe(16), file, turns_of(name, list(self.clips), self.repeats))
        self.sessions[session.key] = session
        return self._state(session)

    def close(self, key: str) -> None:
        """A window was closed."""
        self.sessions.pop(key, None)

    def rate(self, key: str, turn: Turn, score: float | None, seconds: float) -> dict[str, Any]:
        """Take a score, or None for a clip that is skipped; a turn that is taken already changes nothing.

        It raises Refusal with 410 where there is no such session, with 422 for what cannot be.
        """
        session = self._session(key)
        clip = self.by_key.get(turn[0])
        if clip is None or (clip, turn[1]) not in session.turns:
            raise Refusal(422, "no such clip")
        if score is not None and score not in self.scores:
            raise Refusal(422, f"score {score:g}: give one from {self.scores[0]} to {self.scores[-1]}")
        if (clip, turn[1]) not in session.file.said:
            session.file.add(clip, turn[1], score, min(max(seconds, 0.0), MOST_SECONDS))
        return self._state(session)

    def undo(self, key: str) -> dict[str, Any]:
        """Take the last rating back: its clip comes again, as the next; raises Refusal 410, 422 where there is none."""
        session = self._session(key)
        taken = session.file.undo()
        if taken is None:
            raise Refusal(422, "nothing to take back")
        return self._state(session, first=(taken.clip, taken.round)) | {"taken": taken.score}

    def raters(self) -> list[dict[str, Any]]:
        """Names, and how far each is: never what they said."""
        found = []
        for name in raters_of(self.folder):
            file = RaterFile(self.folder, name, self.corpus.score_range)
            turns = turns_of(name, list(self.clips), self.repeats)
            found.append({"name": name, "done": len(turns) - len(left_of(turns, file)), "of": len(turns)})
        return found

    def _session(self, key: str) -> Session:
        session = self.sessions.get(key)
        if session is None:
            raise Refusal(410, "this window has ended: the name was taken over, or the server began anew")
        return session

    def _state(self, session: Session, first: Turn | None = None) -> dict[str, Any]:
        left = left_of(session.turns, session.file)
        if first in left:
            left = [first, *(turn for turn in left if turn != first)]
        said = [session.file.said[turn] for turn in session.file.order]
        return {
            "session": session.key,
            "name": session.file.name,
            "done": len(session.turns) - len(left),
            "of": len(session.turns),
            "seconds_left": seconds_left(said, len(left)),
            "can_undo": bool(said),
            "clip": self._shown(left[0]) if left else None,
            "next": self.key_of(left[1][0]) if len(left) > 1 else None,
        }

    def _shown(self, turn: Turn) -> dict[str, Any]:
        """What a rater gets to know of a clip."""
        clip = self.clips[turn[0]]
        only_sound = clip.path.suffix.lower() in SOUND
        return {"key": self.key_of(clip.id), "round": turn[1], "words": clip.transcript, "only_sound": only_sound}
