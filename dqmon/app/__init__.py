"""The composition root: the only room that builds concrete objects from a configuration."""

from dqmon.app.commands import App, open_app
from dqmon.app.parts import new_id

__all__ = ["App", "new_id", "open_app"]
