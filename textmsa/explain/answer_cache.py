"""Answers that were got once are never asked for, or paid, again: not after a kill, and not from another store."""

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textmsa.errors import UserError


class AnswerCache:
    """Key -> answer in one SQLite file; threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "answers.sqlite"
        self._guard = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=60, check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, document TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"{folder}: answers cannot be kept there ({error}); set TEXTMSA_CACHE") from error

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer that was kept under a key."""
        with self._guard:
            row = self._database.execute("SELECT document FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def get_or_make(
        self,
        key: str,
        make: Callable[[], dict[str, Any]],
        still_usable: Callable[[dict[str, Any]], bool] = lambda document: True,
    ) -> tuple[dict[str, Any], bool]:
        """(the answer, whether it was there already); what `make` raises is raised, and nothing is kept.

        A kept answer that is not `still_usable` is made again and replaced. Threads that want one key at the same
        time wait for the first of them.
        """
        with self._guard:
            lock = self._asking.setdefault(key, threading.Lock())
        try:
            with lock:
                kept = self.get(key)
                if kept is not None and still_usable(kept):
                    return kept, True
                answer = make()
                with self._guard:
                    self._database.execute(
                        "INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(answer, ensure_ascii=False))
                    )
                return answer, False
        finally:
            with self._guard:
                if not lock.locked():
                    self._asking.pop(key, None)
