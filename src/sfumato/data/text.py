"""Sentences as rows of characters, as Reed et al. 2016 (arXiv:1605.05396) give them to their text encoder."""

from collections.abc import Sequence

import numpy as np

# its published order; "-" stands in it twice, and the second place counts
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{} "
LENGTH = 201  # characters; what is longer is cut
_CODES = {c: i for i, c in enumerate(ALPHABET, 1)}


def encode(sentences: Sequence[str]) -> np.ndarray:
    """Sentences -> (n, 201) int64: places in the alphabet from 1, then 0; capitals as small letters, others as " "."""
    found = np.zeros((len(sentences), LENGTH), np.int64)
    for row, sentence in zip(found, sentences, strict=True):
        codes = [_CODES.get(c, _CODES[" "]) for c in " ".join(sentence.lower().split())[:LENGTH]]
        row[: len(codes)] = codes
    return found


def decode(codes: np.ndarray) -> list[str]:
    """(n, 201) places in the alphabet, 0 = nothing -> sentences."""
    return ["".join(ALPHABET[c - 1] for c in row if c > 0) for row in np.asarray(codes).tolist()]
