"""What the latent verbs do to a dcgan of coloured shapes: arithmetic, the turn vector, and the ablation of channels.

    python benchmarks/latent.py

Trains dcgan's small preset on the built-in shapes at 32 px for 4,000 steps (runs/benchmark/shapes; once), then adds,
turns and ablates, all judged by reader:shapes or from the pixels. Writes docs/results/latent.md and its pictures.
"""

from itertools import permutations, product
from pathlib import Path

import torch

import sfumato
from sfumato.data.pictures import save_grid
from sfumato.evaluation import observe
from sfumato.tasks.evaluate import reader

RUN = Path("runs/benchmark/shapes")
DIGITS = Path("runs/benchmark/dcgan-0")
DOCS = Path(__file__).parents[1] / "docs"
SUMS = (
    "red circle - blue circle + blue star",
    "green square - red square + red cross",
    "blue star - blue circle + purple circle",
)
TURNS = ("x", "y", "area", "lightness")
POOL = 4096  # samples among which exemplars are looked for
OBJECTS = ("red star", "blue circle", "yellow cross", "green triangle", "purple square")


def model() -> sfumato.Model:
    """The trained model."""
    if (RUN / "measures.json").exists():
        return sfumato.load(RUN)
    if (RUN / "resume").exists():
        return sfumato.resume(RUN)
    return sfumato.train("dcgan", data="shapes", size=32, ch=24, steps=4000, out=RUN)


def analogies(trained: sfumato.Model) -> list[str]:
    """Every sum that changes one colour for another and one shape for another, by how many exemplars are averaged."""
    look = reader(trained, None)
    named = [tuple(c.split()) for c in look.classes]
    colours, shapes = (sorted({n[k] for n in named}) for k in (0, 1))
    codes = trained.prior(POOL, seed=0)
    chances = torch.cat([observe(trained.decode(part), look).probabilities.clone() for part in codes.split(512)])
    sums = [
        (named.index((c, s)), named.index((d, s)), named.index((d, t)), named.index((c, t)))
        for (c, d), (s, t) in product(permutations(colours, 2), permutations(shapes, 2))
    ]
    lines = ["| exemplars | colour right | shape right | both |", "|---|---|---|---|"]
    for k in (3, 10, 30):
        means = torch.stack([codes[chances[:, i].topk(k).indices].mean(0) for i in range(len(named))])
        made = torch.stack([means[a] - means[b] + means[c] for a, b, c, _ in sums])
        seen = torch.cat([observe(trained.decode(x), look).probabilities.argmax(1) for x in made.split(512)]).tolist()
        pairs = [(named[i], named[aim]) for i, (*_, aim) in zip(seen, sums, strict=True)]
        right = [(a[0] == b[0], a[1] == b[1], a == b) for a, b in pairs]
        lines.append(
            f"| {k} | " + " | ".join(f"{sum(column) / len(sums):.0%}" for column in zip(*right, strict=True)) + " |"
        )
    return [
        f"All {len(sums)} sums of this kind, a colour and a shape that change, by how many of {POOL:,} samples are "
        "averaged for each term (3 in the verb, as in the paper). By chance colour and shape are right in 20 %, both "
        "in 4 %.",
        "", *lines, "",
    ]  # fmt: skip


def main() -> None:
    """Do all three and write them down."""
    trained = model()
    pictures = DOCS / "results"
    save_grid(trained.sample(64), pictures / "latent-samples.png", columns=16)
    lines = ["# Latent arithmetic, turning and ablation", "", "Regenerate with `python benchmarks/latent.py`.", ""]
    lines += [
        f"A dcgan of the built-in shapes, {trained.facts.size} px, step {trained.step:,}.",
        "",
        "## Arithmetic",
        "",
    ]
    lines += ["| sum | what the reader sees in the result |", "|---|---|"]
    for i, expression in enumerate(SUMS):
        made = sfumato.arithmetic(trained, expression, out=pictures / f"arithmetic-{i}.png")
        seen = ", ".join(f"{k} = {v:.2f}" for k, v in sorted(made.figures.items(), key=lambda x: -x[1]))
        lines.append(f"| {expression} | {seen} |")
    lines += [
        "",
        "Each term in a row: three exemplars, then the image of their mean code; last the sum, and the sum with",
    ]
    lines += ["noise.", "", *(f"![{e}](arithmetic-{i}.png)" for i, e in enumerate(SUMS)), ""]
    lines += [*analogies(trained), "## Turning", ""]
    lines += ["| factor | rises in, of 64 rows | rank correlation | from | to |", "|---|---|---|---|---|"]
    for factor in TURNS:
        f = sfumato.turn(trained, factor, out=pictures / f"turn-{factor}.png").figures
        lines.append(
            f"| {factor} | {f['rises in']:.0%} | {f['rank correlation']:.2f} | {f['from']:.2f} | {f['to']:.2f} |"
        )
    lines += ["", *(f"![{f}](turn-{f}.png)" for f in TURNS[:2]), ""]
    if DIGITS.exists():
        lines += ["The same of the digits' dcgan that `benchmarks/systems.py` trains:", ""]
        lines += ["| factor | rises in, of 64 rows | rank correlation | from | to |", "|---|---|---|---|---|"]
        for factor in ("slant", "x", "lightness"):
            f = sfumato.turn(sfumato.load(DIGITS), factor, out=pictures / f"turn-digits-{factor}.png").figures
            rises, rank = f"{f['rises in']:.0%}", f"{f['rank correlation']:.2f}"
            lines.append(f"| {factor} | {rises} | {rank} | {f['from']:.2f} | {f['to']:.2f} |")
        lines += ["", "![slant](turn-digits-slant.png)", ""]
    lines += ["## Ablation", ""]
    lines += ["| object | layer | channels dropped | objects gone | others unchanged |", "|---|---|---|---|---|"]
    for name in OBJECTS:
        a = sfumato.ablate(trained, name, n=2048, out=pictures / f"ablation-{name.replace(' ', '-')}.png")
        lines.append(f"| {name} | `{a.layer}` | {len(a.channels)} of {a.of} | {a.removed:.0%} | {a.kept:.0%} |")
    first = OBJECTS[0]
    lines += [
        "",
        f"Samples with a {first}, the same without the channels, samples of other classes, the same without:",
        "",
    ]
    lines += [f"![ablation](ablation-{first.replace(' ', '-')}.png)"]
    (pictures / "latent.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
