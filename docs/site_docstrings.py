"""How mkdocstrings is to read our docstrings: a sentence that they say after the parameters belongs to none of them.

"Raises UserError where ..." and "Returns ..." stand as paragraphs behind the section Parameters, which numpydoc would
take for further parameters. On the site they stand before it.
"""

import re
from typing import Any

import griffe

SECTION = "Parameters\n----------\n"
SENTENCE = re.compile(r"\n\n((?:Raises|Returns) [^\n]+(?:\n[^\s][^\n]*)*)(?=\n\n|\s*\Z)")


class SentencesFirst(griffe.Extension):
    """Moves such sentences before the parameters."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called with each object, before its docstring is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = sentences_first(obj.docstring.value)


def sentences_first(docstring: str) -> str:
    """The docstring with its sentences on errors and results before its parameters."""
    before, section, after = docstring.partition(SECTION)
    sentences = SENTENCE.findall(after)
    if not section or not sentences:
        return docstring
    return "".join([before, *(f"{sentence}\n\n" for sentence in sentences), section, SENTENCE.sub("", after)])
