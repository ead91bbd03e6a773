"""Features: what is heard and seen of a clip, as numbers over time. One file per extractor."""

from typing import TYPE_CHECKING, Protocol

from textmsa.types import FeatureSequence

if TYPE_CHECKING:
    from textmsa.media import Media


class Extractor(Protocol):
    """What stands behind the seams `AUDIO_EXTRACTORS` and `VIDEO_EXTRACTORS`; built without arguments.

    `name`, `version` and `names` are attributes of the class, so that they are known without building one.
    Raise the version whenever the values change: stores and runs made with another version are refused.

    One that reads other files than the clip has a static method `sources(path) -> tuple[Path, ...]` too, the files that
    are there for the clip at `path`: where one of them changes, or comes or goes, the clip is measured again.
    """

    name: str
    version: str
    names: tuple[str, ...]
    """Of the features, in the order of the columns."""

    def extract(self, media: "Media") -> FeatureSequence:
        """Features of one clip; NaN where a value could not be measured, never infinite, times ascending.

        Raises MissingModality, whose message is recorded, where the clip has nothing to measure.
        """
        ...
