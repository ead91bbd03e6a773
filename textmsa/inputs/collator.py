"""Examples -> one padded, masked `Batch`.

Shapes: B clips, L word pieces, T steps, F features.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from textmsa.errors import UserError
from textmsa.inputs.examples import Example, Pieces
from textmsa.model.batch import Batch, Steps, Tokens
from textmsa.types import FloatArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from textmsa.inputs.encoded_texts import EncodedTexts
    from textmsa.model import TextMsaConfig


class Collator:
    """Examples -> `Batch`, padded to the longest of the batch (to the full length where padding is attended).

    Parameters
    ----------
    tokenizer, config
        The model's.
    encoded
        What the frozen part of its text encoder makes of the texts, where that was computed before.
    probed
        Id of a clip that is learnt from -> what probes that have not learnt from it read of it (M,).
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        config: "TextMsaConfig",
        encoded: "EncodedTexts | None" = None,
        probed: Mapping[str, torch.Tensor] = MappingProxyType({}),
    ) -> None:
        self.tokenizer, self.config, self.encoded, self.probed = tokenizer, config, encoded, probed

    def __call__(self, examples: Sequence[Example]) -> Batch:
        """Raises UserError where a clip has no modality at all."""
        labels = [example.label for example in examples]
        return Batch(
            text=self.tokens([e.text for e in examples]),
            audio=self._steps([e.audio for e in examples]),
            video=self._steps([e.video for e in examples]),
            audio_explanation=self.tokens([e.audio_explanation for e in examples]),
            video_explanation=self.tokens([e.video_explanation for e in examples]),
            label_B=None if None in labels else torch.tensor(labels, dtype=torch.float32),
            unimodal_label_BM=torch.tensor(
                [[torch.nan if label is None else label for label in e.unimodal_labels] for e in examples]
            ),
            probed_BM=self._probed(examples),
            ids=tuple(example.id for example in examples),
        )

    def _probed(self, examples: Sequence[Example]) -> torch.Tensor | None:
        """None where any of the clips is not learnt from."""
        read = [self.probed[example.id] for example in examples if example.id in self.probed]
        return torch.stack(read) if len(read) == len(examples) else None

    def tokens(self, texts: "Sequence[str | Pieces | None]") -> Tokens | None:
        """Word pieces of one text per clip; None where no clip has one."""
        if any(isinstance(text, np.ndarray) for text in texts):
            tokens = self._given([text for text in texts if not isinstance(text, str)])
        elif any(texts):
            tokens = self._tokenized([text for text in texts if not isinstance(text, np.ndarray)])
        else:
            return None
        return tokens if self.encoded is None else tokens._replace(states=self.encoded.states(tokens))

    def _tokenized(self, texts: list[str | None]) -> Tokens:
        encoded = self.tokenizer(
            [text or "" for text in texts],
            truncation=True,
            max_length=self.config.max_text_length,
            padding="longest" if self.config.mask_padding else "max_length",
            return_tensors="pt",
        )
        real_B1 = torch.tensor([bool(text) for text in texts])[:, None]
        mask = encoded["attention_mask"].bool() & real_B1
        segments = encoded.get("token_type_ids", torch.zeros_like(encoded["input_ids"]))
        return Tokens(encoded["input_ids"], mask, segments)

    def _given(self, texts: "list[Pieces | None]") -> Tokens:
        """Pieces as they were given, cut after `max_text_length` as the reference code does."""
        limit = self.config.max_text_length
        stacked = np.zeros((len(texts), 3, limit), np.int64)
        for row, text in enumerate(texts):
            if text is not None:
                stacked[row, :, : min(text.shape[1], limit)] = text[:, :limit]
        longest = int(np.flatnonzero(np.any(stacked[:, 1], axis=0)).max(initial=0)) + 1
        pieces = torch.from_numpy(stacked[:, :, :longest] if self.config.mask_padding else stacked)
        if pieces.numel() and not 0 <= int(pieces[:, 0].min()) <= int(pieces[:, 0].max()) < len(self.tokenizer):
            raise UserError(
                f"the data file's word pieces (up to {int(pieces[:, 0].max())}) are not of the text encoder's "
                f"tokenizer ({len(self.tokenizer)} pieces): give the encoder they were made for, or "
                "inputs.pieces: tokenize"
            )
        return Tokens(pieces[:, 0], pieces[:, 1] > 0, pieces[:, 2])

    def _steps(self, rows: Iterable[tuple[FloatArray, npt.NDArray[np.bool_]] | None]) -> Steps | None:
        rows = list(rows)
        present = [row for row in rows if row is not None]
        if not present:
            return None
        longest = max(len(mask) for _, mask in present) if self.config.mask_padding else self.config.max_steps
        values = np.zeros((len(rows), longest, present[0][0].shape[1]), dtype=np.float32)
        mask = np.zeros((len(rows), longest), dtype=bool)
        for i, row in enumerate(rows):
            if row is not None:
                values[i, : len(row[1])], mask[i, : len(row[1])] = row
        return Steps(torch.from_numpy(values), torch.from_numpy(mask))
