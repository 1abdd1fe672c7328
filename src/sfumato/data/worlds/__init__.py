"""Worlds rendered on the fly, with the truth about every picture."""

from .faces import Faces
from .render import Factors, Rendered
from .scenes import Scenes

__all__ = ["Faces", "Factors", "Rendered", "Scenes"]
