"""What was used: packages with their versions."""

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("textmsa", "av", "datasets", "librosa", "mediapipe", "numpy", "pyarrow", "soxr")
"""Whose versions the manifest records, where they are installed."""


def package_versions() -> dict[str, str]:
    """Package -> version, of `PACKAGES` that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
