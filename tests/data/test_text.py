import numpy as np

from sfumato.data.text import ALPHABET, LENGTH, decode, encode


def test_the_alphabet_is_the_published_one():
    assert len(ALPHABET) == 70
    assert encode(["az09 -"])[0, :7].tolist() == [1, 26, 27, 36, 70, 60, 0]


def test_sentences_survive():
    sentences = ["two houses, a red car (and a bird) at dusk!", "", "a-b_c"]
    codes = encode(sentences)
    assert codes.shape == (3, LENGTH) and codes.dtype == np.int64
    assert codes.min() == 0 and codes.max() <= len(ALPHABET)
    assert decode(codes) == sentences
    assert (np.diff((codes > 0).astype(int), axis=1) <= 0).all(), "padding follows"


def test_what_the_alphabet_lacks():
    assert decode(encode(["A  Façade\n of 3 m"])) == ["a fa ade of 3 m"]
    assert decode(encode(["x" * 500])) == ["x" * LENGTH]
