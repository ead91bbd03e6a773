"""A run -> a repository on a model hub: what of it is given to others, its card, and the upload."""

from textmsa.hub.command import PushResult, push_to_hub

__all__ = ["PushResult", "push_to_hub"]
