"""A language model of words alone, run in this process: for refining and translating."""

from typing import TYPE_CHECKING, ClassVar

from textmsa.explain.language_models.local_model import LocalModel

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class CausalLm(LocalModel):
    """Any causal language model of transformers that has a chat template (Qwen, Llama, Mistral, ...)."""

    name: ClassVar[str] = "causal_lm"
    updated_layers: ClassVar[str] = r".*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"

    def set_up(self, config: "PretrainedConfig", model: str, revision: str | None) -> str:
        """Nothing is needed besides the tokenizer."""
        return "AutoModelForCausalLM"
