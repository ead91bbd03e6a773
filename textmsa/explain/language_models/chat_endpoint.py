"""Any server that speaks chat completions (vLLM, Ollama, DashScope, OpenAI, ...): frames as JPEG, sound as WAV.

The key is read from the environment only, and nothing of it is kept.
"""

import base64
import io
import os
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np

from textmsa.errors import AnswerError, UserError
from textmsa.explain.language_models.answer_form import NO_FORM, REFUSING, FormsTaken, SchemaRefused, response_format
from textmsa.explain.language_models.minute_limit import MinuteLimit
from textmsa.explain.language_models.question import Answer, Picture, Question, Turn
from textmsa.types import FloatArray

if TYPE_CHECKING:
    from openai import OpenAI

KEYS = ("TEXTMSA_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key; the first that is set is taken."""
OUT_OF_MONEY = "insufficient_quota"
JPEG_QUALITY = 85


class Unreadable(AnswerError):
    """A whole answer that is no chat completion."""


class ChatEndpoint:
    """A model behind an address.

    Parameters
    ----------
    model
        Its name there.
    base_url
        Up to and with "/v1".
    sees
        Whether it takes pictures.
    hears
        Whether it takes sound.
    max_tokens
        Most tokens of an answer.
    temperature
        Of sampling; 0 takes the likeliest.
    seed
        Of sampling, where the server has one.
    concurrency
        Questions on their way at once.
    timeout
        Seconds to wait for an answer.
    retries
        Further tries after 408, 409, 429, 5xx and lost connections, ever later, or when the server says.
    requests_per_minute, tokens_per_minute
        Limits to keep below; None for none.
    image_side
        Longest side of a frame, in pixels.
    price_in, price_out
        Price of a million tokens, for the sum at the end.
    structured
        Hold answers that are to be JSON to a schema (`response_format`), where the server can; it is asked once whether
        it can.
    """

    name = "chat_endpoint"

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        sees: bool = True,
        hears: bool = False,
        max_tokens: int = 512,
        temperature: float = 0.0,
        seed: int | None = None,
        concurrency: int = 8,
        timeout: float = 120.0,
        retries: int = 5,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        image_side: int = 448,
        price_in: float | None = None,
        price_out: float | None = None,
        structured: bool = True,
    ) -> None:
        if not str(base_url).startswith(("http://", "https://")):
            raise UserError(f"base_url {base_url!r}: give http://... or https://..., up to and with /v1")
        if concurrency < 1 or timeout <= 0 or retries < 0 or max_tokens < 1 or image_side < 16:
            raise UserError(
                "concurrency, timeout, max_tokens: give more than 0; retries 0 or more; image_side 16 or more"
            )
        self.model, self.base_url, self.sees, self.hears = str(model), str(base_url).rstrip("/"), sees, hears
        self.sampling: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        if seed is not None:
            self.sampling["seed"] = seed
        self.concurrency, self.image_side = concurrency, image_side
        self.prices = price_in, price_out
        self.takes_form = structured  # counts as a part of those questions that have a form, and of no others
        self._forms = FormsTaken() if structured else None
        self.limit = MinuteLimit(requests_per_minute, tokens_per_minute)
        self._client = _client(self.base_url, timeout, retries)
        weakref.finalize(self, self._client.close)  # its connections end with it, and not when memory is next tidied

    def identity(self) -> dict[str, Any]:
        """The model, where it is, and how it is sampled."""
        address = urlsplit(self.base_url)
        place = address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()  # without a password
        identity = {"backend": self.name, "model": self.model, "base_url": place, **self.sampling}
        return identity | {"image_side": self.image_side}

    def ask(self, question: Question, earlier: tuple[Turn, ...] = ()) -> Answer:
        """One chat completion."""
        messages: list[Any] = [{"role": "user", "content": self._content(question)}]
        for turn in earlier:
            messages += [{"role": "assistant", "content": turn.answer}, {"role": "user", "content": turn.complaint}]
        try:
            return self._held(messages, question.form)
        except Unreadable:
            return self._held(messages, question.form)  # a proxy's hiccup, most likely

    def _held(self, messages: list[Any], form: dict[str, Any] | None) -> Answer:
        """A completion held to a form where the server has such; what it refuses once it is not asked for again."""
        if form is None or self._forms is None:
            return self._complete(messages)
        refused = ""
        for level, sent in self._forms.to_try(form):
            try:
                answer = replace(self._complete(messages, sent), held_to_form=True)
            except SchemaRefused as error:
                refused = refused or str(error)
                continue
            self._forms.learn(level, self.base_url, refused)
            return answer
        answer = self._complete(messages)  # where this is refused too, it was not the form's fault
        self._forms.learn(NO_FORM, self.base_url, refused)
        return answer

    def _complete(self, messages: list[Any], form: dict[str, Any] | None = None) -> Answer:
        import openai

        self.limit.wait()
        try:
            held: dict[str, Any] = {} if form is None else {"response_format": response_format(form)}
            completion = self._client.chat.completions.create(
                model=self.model, messages=messages, **self.sampling, **held
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise UserError(f"{self.base_url} wants another key ({_short(error)}): set {' or '.join(KEYS)}") from error
        except openai.NotFoundError as error:
            raise UserError(f"{self.base_url} does not know model {self.model!r} ({_short(error)})") from error
        except openai.RateLimitError as error:
            if error.code == OUT_OF_MONEY:
                raise UserError(f"{self.base_url}: the account is used up ({_short(error)})") from error
            raise AnswerError(f"HTTP 429 after {self._client.max_retries + 1} tries: {_short(error)}") from error
        except openai.APITimeoutError as error:
            raise AnswerError(f"no answer in time after {self._client.max_retries + 1} tries") from error
        except openai.APIStatusError as error:
            kind = SchemaRefused if form is not None and error.status_code in REFUSING else AnswerError
            raise kind(f"HTTP {error.status_code}: {_short(error)}") from error
        except openai.APIConnectionError as error:
            raise AnswerError(f"connection lost after {self._client.max_retries + 1} tries: {_short(error)}") from error
        except (openai.OpenAIError, ValueError) as error:
            raise Unreadable(f"the server's answer cannot be read: {_short(error)}") from error
        return self._answer(completion)

    def _answer(self, completion: object) -> Answer:
        usage = getattr(completion, "usage", None)
        tokens_in = int(getattr(usage, "prompt_tokens", 0) or 0)
        tokens_out = int(getattr(usage, "completion_tokens", 0) or 0)
        self.limit.count(tokens_in + tokens_out)
        choices = getattr(completion, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            raise Unreadable("the server's answer cannot be read: it holds no message")
        message, reason = choices[0].message, choices[0].finish_reason
        finish: Literal["stop", "length", "refused"] = "stop"
        if getattr(message, "refusal", None) or reason == "content_filter":
            finish = "refused"
        elif reason == "length":
            finish = "length"
        return Answer(message.content or "", finish, tokens_in, tokens_out)

    def _content(self, question: Question) -> str | list[dict[str, Any]]:
        """The question as chat completions have it: each frame after its time, then sound, then the words."""
        parts: list[dict[str, Any]] = []
        for frame, seconds in zip(question.frames, question.frame_times, strict=True):
            url = "data:image/jpeg;base64," + base64.b64encode(jpeg(frame, self.image_side)).decode()
            parts += [{"type": "text", "text": f"{seconds:.1f} s:"}, {"type": "image_url", "image_url": {"url": url}}]
        if question.waveform_N is not None:
            sound = base64.b64encode(wav(question.waveform_N, question.sample_rate)).decode()
            parts.append({"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}})
        return [*parts, {"type": "text", "text": question.prompt}] if parts else question.prompt

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """By the prices given."""
        price_in, price_out = self.prices
        if price_in is None and price_out is None:
            return None
        return (tokens_in * (price_in or 0.0) + tokens_out * (price_out or 0.0)) / 1e6


def _client(base_url: str, timeout: float, retries: int) -> "OpenAI":
    try:
        import openai
    except ModuleNotFoundError as error:
        raise UserError("explainer chat_endpoint needs the package openai: pip install 'textmsa[chat]'") from error
    key = next((os.environ[name] for name in KEYS if os.environ.get(name)), "none")  # local servers ask for none
    return openai.OpenAI(base_url=base_url, api_key=key, timeout=timeout, max_retries=retries)


def _short(error: Exception) -> str:
    """The beginning of an error on one line; its kind where it says nothing."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 160 else line[:157] + "..."


def jpeg(frame: Picture, side: int) -> bytes:
    """A picture (H, W, 3) as JPEG, at most `side` pixels long."""
    from PIL import Image

    picture = Image.fromarray(frame)
    picture.thumbnail((side, side))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def wav(waveform_N: FloatArray, sample_rate: int) -> bytes:
    """A waveform in [-1, 1] as a 16-bit WAV file."""
    import wave

    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((np.clip(waveform_N, -1, 1) * 32767).astype("<i2").tobytes())
    return stream.getvalue()
