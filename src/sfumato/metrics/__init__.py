"""Measures of generated pictures: pure functions of features, and classes that gather what the functions need."""

from ..errors import nearest
from .base import Metric, Result
from .classes import ClassAccuracy, Coverage, Modes, class_accuracy, mode_coverage
from .frechet import Frechet, frechet_distance
from .inception import InceptionScore, inception_score
from .kernel import Kernel, kernel_distance
from .manifold import PrecisionRecall, precision_recall
from .moments import Moments

__all__ = [
    "METRICS",
    "Coverage",
    "Metric",
    "Moments",
    "Result",
    "class_accuracy",
    "find",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "mode_coverage",
    "precision_recall",
]

METRICS: dict[str, type[Metric]] = {
    m.name: m for m in (Frechet, Kernel, InceptionScore, PrecisionRecall, ClassAccuracy, Modes)
}


def find(name: str) -> type[Metric]:
    """A measure by name. Raises LookupError with the nearest names if there is none of this name."""
    return METRICS[nearest(name, METRICS, "metric")]
