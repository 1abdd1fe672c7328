"""What the latent verbs do to a dcgan of coloured shapes: arithmetic, the turn vector, and the ablation of channels.

    python benchmarks/latent.py

Trains dcgan's small preset on the built-in shapes at 32 px for 4,000 steps (runs/benchmark/shapes; once), then adds,
turns and ablates, all judged by reader:shapes or from the pixels. Writes docs/results/latent.md and its pictures.
"""

from pathlib import Path

import sfumato
from sfumato.data.pictures import save_grid

RUN = Path("runs/benchmark/shapes")
DIGITS = Path("runs/benchmark/dcgan-0")
DOCS = Path(__file__).parents[1] / "docs"
SUMS = (
    "red circle - blue circle + blue star",
    "green square - red square + red cross",
    "blue star - blue circle + purple circle",
)
TURNS = ("x", "y", "area", "lightness")
OBJECTS = ("red star", "blue circle", "yellow cross", "green triangle", "purple square")


def model() -> sfumato.Model:
    """The trained model."""
    if (RUN / "measures.json").exists():
        return sfumato.load(RUN)
    if (RUN / "resume").exists():
        return sfumato.resume(RUN)
    return sfumato.train("dcgan", data="shapes", size=32, ch=24, steps=4000, out=RUN)


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
    lines += ["noise.", "", *(f"![{e}](arithmetic-{i}.png)" for i, e in enumerate(SUMS)), "", "## Turning", ""]
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
