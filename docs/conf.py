"""How the documentation is built: `python -m sphinx -W docs docs/_build`."""

import tomllib
from pathlib import Path

project = "sfumato"
author = "the sfumato authors"
project_copyright = "the sfumato authors, Apache-2.0"
release = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["version"]
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "sfumato"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#8c5523", "color-brand-content": "#8c5523"},
    "dark_css_variables": {"color-brand-primary": "#dba771", "color-brand-content": "#dba771"},
}
