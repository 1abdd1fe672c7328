"""The frame of sfumato's HTML pages: one file each, that needs nothing from anywhere else."""

import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from PIL import Image

LARGEST = 600_000  # bytes of a picture that is embedded as it is
SIDE = 1280  # pixels to which larger ones are reduced
STAGE = 640  # pixels that a picture fills on the page, about


def document(title: str, body: Iterable[str]) -> str:
    """A whole page. The title is escaped, the body is HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A titled section, or nothing if all parts are empty."""
    body = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and their values, which are HTML; empty values are left out."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in pairs if value)
    return f"<dl>{rows}</dl>" if rows else ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells that scrolls sideways where it does not fit."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def bullets(items: Iterable[str], kind: str = "") -> str:
    """A list of HTML items, or nothing if there are none."""
    body = "".join(f"<li>{item}</li>" for item in items)
    return f'<ul class="{kind}">{body}</ul>' if body else ""


def picture(path: Path, alt: str) -> str:
    """An image element that holds the picture itself, reduced if it is large. Nothing if it cannot be read.

    Small pictures are enlarged by whole numbers, so that their pixels stay square.
    """
    try:
        with Image.open(path) as opened:
            opened.load()
            image: Image.Image = opened
            kind, data = "png", path.read_bytes()
            if len(data) > LARGEST:
                image = image.convert("RGB")
                image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
                held = io.BytesIO()
                image.save(held, "jpeg", quality=90)
                kind, data = "jpeg", held.getvalue()
            width, height = image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow raises on damaged files
        return ""
    times = max(1, STAGE // width)
    crisp = ' class="crisp"' if times > 1 else ""
    return (
        f'<img{crisp} alt="{escape(alt)}" width="{width}" height="{height}" '
        f'style="max-width:min(100%,{width * times}px)" '
        f'src="data:image/{kind};base64,{b64encode(data).decode()}">'
    )


STYLE = """
:root{--paper:#fbfaf6;--ink:#23211d;--soft:#6d675d;--line:#e2ddd2;--card:#f4f1e9;--accent:#8c5523;--warn:#9c2f1f;
--c0:#2b6a99;--c1:#bf5b2e;--c2:#4c8556;--c3:#85569b;--c4:#a5842a;--c5:#3f8f94;
--serif:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,serif;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;
--mono:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){:root{--paper:#171614;--ink:#e9e5dc;--soft:#a39c8f;--line:#35322c;--card:#201e1b;
--accent:#dba771;--warn:#f08d78;--c0:#74b0dc;--c1:#ec9468;--c2:#8cc394;--c3:#c29ad6;--c4:#d9bb63;--c5:#79c5c9}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 var(--sans)}
main{max-width:62rem;margin:0 auto;padding:clamp(1.5rem,5vw,4rem) clamp(1.1rem,4vw,2.5rem) 5rem}
h1,h2{font-family:var(--serif);font-weight:500;letter-spacing:-.01em;text-wrap:balance}
h1{font-size:clamp(2rem,6vw,3.2rem);line-height:1.12;margin:.2rem 0 .9rem}
h1 small{color:var(--soft);font-size:.62em;font-weight:400}
h2{font-size:1.5rem;margin:0 0 1rem}
h3{font-size:.95rem;font-weight:600;margin:0 0 .3rem}
section{margin-top:3.6rem}
p{max-width:44rem;margin:0 0 .8rem;text-wrap:pretty}
a{color:var(--accent);text-underline-offset:.18em;text-decoration-thickness:1px}
.kicker{color:var(--soft);font-size:.9rem;margin:0}
.verdict{font-family:var(--serif);font-size:1.3rem;line-height:1.5}
.verdict.bad strong{color:var(--warn)}
.soft,figcaption,dt,.note{color:var(--soft)}
.note{font-size:.9rem}
.numbers{display:flex;flex-wrap:wrap;gap:1rem 2.8rem;
margin:1.8rem 0 0;padding:1.1rem 0 0;border-top:1px solid var(--line)}
.numbers div{display:flex;flex-direction:column-reverse}
.numbers dt{font-size:.85rem}
.numbers dd{margin:0;font:500 1.55rem/1.25 var(--serif);font-variant-numeric:lining-nums tabular-nums}
.film{display:grid;grid-template-columns:repeat(auto-fill,minmax(104px,1fr));gap:.9rem .8rem;
border:0;margin:0;padding:0;min-width:0}
.film label{display:block;cursor:zoom-in;min-width:0}
.film input{position:absolute;opacity:0;pointer-events:none}
.film img{display:block;width:100%;height:auto;border-radius:3px;background:var(--card)}
.film span{display:block;font-size:.8rem;color:var(--soft);margin-top:.3rem;font-variant-numeric:tabular-nums}
.film label:has(:checked){order:-1;grid-column:1/-1;cursor:default}
.film label:has(:checked) span{color:var(--ink);font-size:.95rem}
.film label:has(:focus-visible){outline:2px solid var(--accent);outline-offset:4px;border-radius:3px}
.film label:not(:has(:checked)):hover img{outline:2px solid var(--accent);outline-offset:2px}
img.crisp{image-rendering:pixelated}
.side{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));gap:1.6rem}
.side figure{margin:0;min-width:0}.side img{display:block;width:100%;height:auto;border-radius:3px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,23rem),1fr));gap:2rem 2.2rem}
.charts figure{margin:0;min-width:0}
.charts h3 em{font-style:normal;font-weight:400;color:var(--soft)}
svg{display:block;width:100%;height:auto;font:12px var(--sans);overflow:visible}
svg svg{overflow:hidden}
svg text{fill:var(--soft);font-variant-numeric:tabular-nums}
svg path{fill:none}
.grid{stroke:var(--line)}.axis{stroke:var(--soft);stroke-opacity:.6}
.raw{stroke-width:1;stroke-opacity:.28;stroke-linejoin:round}
.line{stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.mark{stroke:var(--warn);stroke-dasharray:3 3;stroke-opacity:.75}
.column{fill:var(--ink);fill-opacity:0}.column:hover{fill-opacity:.07}
.dots{max-width:34rem;margin:.4rem 0 1.2rem}.dots circle{fill:var(--soft)}
.dots .strong circle{fill:var(--accent);r:6px}.dots .strong text{fill:var(--ink);font-weight:600}
.key{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;list-style:none;margin:.25rem 0 .5rem;padding:0;
font-size:.85rem;color:var(--soft)}
.key i{display:inline-block;width:1.1em;height:3px;border-radius:2px;vertical-align:.25em;margin-right:.45em}
.key b{font-weight:500;color:var(--ink);font-variant-numeric:tabular-nums}
.wide{overflow-x:auto;margin:0 0 1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;min-width:min(100%,22rem)}
th,td{text-align:left;vertical-align:top;padding:.5rem 1.3rem .5rem 0;border-bottom:1px solid var(--line)}
th{font-weight:500;font-size:.85rem;color:var(--soft);white-space:nowrap}
.value{font-weight:600}.best{color:var(--accent);font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.4rem;margin:0 0 1rem}
dd{margin:0;min-width:0;overflow-wrap:anywhere}
.events{list-style:none;padding:0;margin:0;max-width:46rem}
.events li{padding:.7rem 0 .7rem 1rem;border-left:3px solid var(--warn);margin:0 0 .7rem}
.events b{display:block;font-size:.85rem;font-weight:500;color:var(--soft)}
ul.plain{margin:0 0 1.4rem;padding:0;list-style:none}
code,pre{font:.88em/1.55 var(--mono)}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.9rem 1.1rem;overflow-x:auto;
white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 1.2rem}
details{margin:.4rem 0 1rem}summary{cursor:pointer;color:var(--soft)}
@media(min-width:58rem){.film{grid-template-columns:repeat(8,1fr);align-items:start}
.film label:has(:checked){grid-column:1/span 5;grid-row:1/span 4}}
@media(max-width:34rem){dl:not(.numbers){grid-template-columns:1fr;gap:0}dl:not(.numbers) dd{margin-bottom:.6rem}
.film{grid-template-columns:repeat(auto-fill,minmax(76px,1fr))}}
@media print{:root{--paper:#fff}section,figure{break-inside:avoid}}
"""
