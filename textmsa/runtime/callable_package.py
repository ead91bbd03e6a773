"""Packages that are called like the function they are named for."""

from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """`textmsa.train(...)` is `textmsa.train.train(...)`, whether or not the package was imported as one before.

    Importing `textmsa.train` makes the name `train` of `textmsa` the package, so a function cannot have it.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """The function."""
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)
