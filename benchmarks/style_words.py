"""What is said beside the pictures and figures of docs/results/style.md."""

ABOUT = """\
What the papers of `feature-inversion`, `texture` and `neural-style` show, at 128×128 pixels. Unless said otherwise
features are the shipped ones, α is 1 and β 30, errors of content and style are relative to their targets', and L-BFGS
takes 75 gradients, half of them at half the side. Contents are Kodak's photographs; styles are pictures of textures
(Embark, MIT or Apache-2.0), emoji (Noto, Apache-2.0) and sfumato's own scenes in ink."""

NOTES = {
    "features": """\
The shipped features (`style`, 0.5 MB) were learned by least squares, layer after layer, from what a compressed VGG-19
sees in photographs, textures, emoji and the built-in worlds (`benchmarks/style_features.py`, less than a minute). Of
unseen photographs they explain 93 % of the variance of relu3_1, 84 % of relu4_1 and 72 % of relu5_1. "Real, narrow" is
that VGG-19 itself. A VGG of random weights, and the reader of the built-in scenes, which learned to tell things and not
to see strokes, leave noise in the place of strokes. The last column is the distance from the style over that of the
content before it, as the real features judge.""",
    "sweep": """\
The style of the emoji: more of it to the right, of more layers below. Shallow layers give colours and grain, deep ones
strokes and shapes.""",
    "curve": """\
The sum of all losses at full size from the start, so that optimisers can be compared.""",
    "colours": """\
Above: the style's own colours; the content's, by painting its luminance alone; a style whose colours are matched to the
content's first. Below: from water to bricks in thirds.""",
    "masks": """\
Emoji above the middle and water below it; and water below alone, where nothing but the content asks for anything
above.""",
    "texture": """\
Exemplars, what has their Gram matrices up to a layer, and what has Portilla and Simoncelli's statistics, which need no
network.""",
    "inversion": """\
Two reconstructions of one picture from different noise. The deeper the layer, the less it fixes: they come to differ
from the picture and from each other.""",
    "memory": """\
The most that a process takes while it paints, PyTorch included.""",
}
