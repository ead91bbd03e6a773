"""Language models that run in this process: any folder or hub id, greedy answers, several questions at a time.

A family is a class of `LocalModel` that says which network it is (`set_up`) and how a question becomes its inputs
(`family_inputs`, `placeholders`); how a checkpoint is read stands in `loading.py`.

Shape suffixes: B questions, L tokens.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from textmsa.errors import AnswerError, UserError
from textmsa.explain.language_models.loading import fingerprint, load_adapter, load_config, load_network, load_tokenizer
from textmsa.explain.language_models.question import Answer, Question, Turn

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

DTYPES = ("auto", "float32", "bfloat16", "float16")
IGNORED = -100
"""The label of tokens that are not learnt, as transformers has it."""
Inputs = dict[str, "torch.Tensor"]


@dataclass
class _Asked:
    """A question on its way."""

    inputs: Inputs
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    error: Exception | None = None


class LocalModel:
    """A network with its tokenizer; the base of all families.

    Parameters
    ----------
    model
        Folder, id on a hub, or file in GGUF.
    revision
        Of a hub's id.
    adapter
        Folder of a LoRA that `textmsa finetune-explainer` made; None for none.
    device
        "auto", "cpu" or "cuda:N".
    dtype
        "auto" for the checkpoint's, "float32", "bfloat16" or "float16".
    load_in_4bit
        Keep the weights in 4 bits; needs the package bitsandbytes and a GPU.
    batch
        Questions answered at a time.
    max_tokens
        Most tokens of an answer.
    """

    name: ClassVar[str]
    sees: bool = False
    hears: bool = False
    updated_layers: ClassVar[str] = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
    """The linear layers that `finetune-explainer` updates: the language model's; eyes and ears stay as they are."""
    config_part: ClassVar[str] = ""
    """The part of a checkpoint's configuration that is the network's; "" for all of it."""

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        adapter: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        load_in_4bit: bool = False,
        batch: int = 1,
        max_tokens: int = 512,
    ) -> None:
        from textmsa.runtime.device import choose_device

        if batch < 1 or max_tokens < 1:
            raise UserError(f"batch {batch}, max_tokens {max_tokens}: give 1 or more")
        if dtype not in DTYPES:
            raise UserError(f"dtype {dtype!r}: give one of {', '.join(DTYPES)}")
        self.concurrency, self.max_tokens = batch, max_tokens
        self.device = choose_device(device)
        self.tokenizer = load_tokenizer(model, revision)
        config = load_config(model, revision, self.config_part)
        network = self.set_up(config, model, revision)
        self.net = load_network(
            network, model, config, revision=revision, device=self.device, dtype=dtype, load_in_4bit=load_in_4bit
        )
        if adapter is not None:
            self.net = load_adapter(self.net, adapter)
        self.net.eval()
        self._identity: dict[str, Any] = {
            "backend": self.name,
            "model": Path(model).name if Path(model).exists() else model,
            "revision": fingerprint(Path(model)) if Path(model).exists() else self.net.config._commit_hash,
            "dtype": str(self.net.dtype).removeprefix("torch."),
            "max_tokens": max_tokens,
        }
        if load_in_4bit:
            self._identity["load_in_4bit"] = True
        if adapter is not None:
            self._identity["adapter"] = fingerprint(Path(adapter))
        self._waiting: deque[_Asked] = deque()
        self._turn = threading.Lock()

    def set_up(self, config: "PretrainedConfig", model: str, revision: str | None) -> str:
        """Read what the family needs of a checkpoint; gives the name of the network's class in transformers.

        `config` is the checkpoint's, or its part `config_part`. UserError where it is of another family.
        """
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        """Model and revision (of a folder: by its content), number format, adapter."""
        return dict(self._identity)

    def ask(self, question: Question, earlier: tuple[Turn, ...] = ()) -> Answer:
        """The likeliest answer; questions of other threads that wait meanwhile are answered in one batch."""
        asked = _Asked(self.inputs(question, earlier))
        self._waiting.append(asked)
        while not asked.done.is_set():
            with self._turn:  # whoever has it answers for all who wait, as many as a batch holds
                if not asked.done.is_set():
                    self._answer_waiting()
        if asked.error is not None:
            raise asked.error
        assert asked.answer is not None
        return asked.answer

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """Nothing is paid for."""
        return None

    def inputs(self, question: Question, earlier: tuple[Turn, ...] = (), answer: str | None = None) -> Inputs:
        """What the network reads of one question, on the CPU: input_ids (L,) and what its family adds.

        With an `answer` also `labels` (L,), the answer's tokens and its end, all others IGNORED.
        """
        from torch import tensor

        self._check_words(question.prompt, *(text for turn in earlier for text in (turn.answer, turn.complaint)))
        family, holders = self.family_inputs(question)
        content = [{"type": kind} for kind in holders] + [{"type": "text", "text": question.prompt}]
        turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
        for turn in earlier:
            turns += [_said("assistant", turn.answer), _said("user", turn.complaint)]
        ids = self._ids(turns, holders, answered=False)
        if answer is None:
            return family | {"input_ids": tensor(ids)}
        whole = self._ids([*turns, _said("assistant", answer)], holders, answered=True)
        if whole[: len(ids)] != ids:
            raise UserError("the checkpoint's chat template does not begin an answer as it continues one")
        labels = [IGNORED] * len(ids) + whole[len(ids) :]
        return family | {"input_ids": tensor(whole), "labels": tensor(labels)}

    def family_inputs(self, question: Question) -> tuple[Inputs, dict[str, str]]:
        """Tensors for frames and sound, and for each kind that the template shows the text that stands for it."""
        return {}, {}

    def placeholders(self) -> dict[str, str]:
        """Kind -> the token that stands for it in a rendered conversation."""
        return {}

    def _check_words(self, *texts: str) -> None:
        """Words of a clip must not act as the conversation's own marks."""
        for mark in self.tokenizer.all_special_tokens:
            if any(mark in text for text in texts):
                raise AnswerError(f"the text holds the model's control token {mark}")

    def _ids(self, turns: list[dict[str, Any]], holders: dict[str, str], *, answered: bool) -> list[int]:
        """The conversation in tokens, the family's texts in place of the placeholders."""
        if not holders and not self.placeholders():  # such templates want plain strings
            turns = [{"role": turn["role"], "content": _words(turn["content"])} for turn in turns]
        text = str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=not answered))
        for kind, replacement in holders.items():
            mark = self.placeholders()[kind]
            if text.count(mark) != 1:
                raise UserError(f"the checkpoint's chat template shows {kind} {text.count(mark)} times, not once")
            text = text.replace(mark, replacement)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def collate(self, items: list[Inputs], *, padding: Literal["left", "right"] = "left") -> Inputs:
        """One batch of several: tokens padded, with `attention_mask` (B, L), all else one after the other."""
        import torch
        from torch.nn.functional import pad

        longest = max(len(item["input_ids"]) for item in items)
        filler = self.tokenizer.pad_token_id or 0

        def row(values_L: "torch.Tensor", fill: int) -> "torch.Tensor":
            short = longest - len(values_L)
            return pad(values_L, (short, 0) if padding == "left" else (0, short), value=fill)

        fills = {"input_ids": filler, "labels": IGNORED}
        batch = {
            name: torch.stack([row(item[name], fill) for item in items])
            for name, fill in fills.items()
            if name in items[0]
        }
        batch["attention_mask"] = torch.stack([row(torch.ones_like(item["input_ids"]), 0) for item in items])
        names = [name for name in dict.fromkeys(name for item in items for name in item) if name not in fills]
        return batch | {name: torch.cat([item[name] for item in items if name in item]) for name in names}

    def _answer_waiting(self) -> None:
        """Answer as many of the waiting questions as a batch holds."""
        batch = [self._waiting.popleft() for _ in range(min(self.concurrency, len(self._waiting)))]
        try:
            for asked, answer in zip(batch, self._generate([asked.inputs for asked in batch]), strict=True):
                asked.answer = answer
        except Exception as error:
            for asked in batch:
                asked.error = _explained(error)
        finally:
            for asked in batch:
                asked.done.set()

    def _generate(self, items: list[Inputs]) -> list[Answer]:
        import torch

        batch = {name: self._moved(value) for name, value in self.collate(items).items()}
        end = self.tokenizer.eos_token_id
        generate = cast("Callable[..., torch.Tensor]", self.net.generate)
        with torch.inference_mode():
            out_BL = generate(
                **batch,
                max_new_tokens=self.max_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=end,
                pad_token_id=self.tokenizer.pad_token_id or 0,
            )
        answers = []
        for ids, item in zip(out_BL[:, batch["input_ids"].shape[1] :].tolist(), items, strict=True):
            length = ids.index(end) if end in ids else len(ids)
            text = str(self.tokenizer.decode(ids[:length], skip_special_tokens=True)).strip()
            answers.append(Answer(text, "stop" if end in ids else "length", len(item["input_ids"]), length))
        return answers

    def _moved(self, value: "torch.Tensor") -> "torch.Tensor":
        return value.to(self.device, self.net.dtype) if value.is_floating_point() else value.to(self.device)


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _words(content: list[dict[str, str]]) -> str:
    return "".join(part["text"] for part in content)


def _explained(error: Exception) -> Exception:
    """Out of memory is the question's or the machine's: said as a reason, for it may pass with a smaller batch."""
    if "out of memory" in str(error).lower():
        return UserError("out of memory while answering: give a smaller batch, fewer frames, or load_in_4bit")
    return error
