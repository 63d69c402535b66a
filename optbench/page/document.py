"""The page as one file: style, text, data and scripts, and nothing that a network would give."""

from __future__ import annotations

from importlib import resources

from plotly.offline import get_plotlyjs

from optbench import __version__
from optbench.page.payload import Payload, compressed
from optbench.page.top import text

SCRIPTS = (  # in the order in which they run
    "arrays.js",
    "words.js",
    "theme.js",
    "selection.js",
    "picture.js",
    "figure.js",
    "filters.js",
    "paths.js",
    "settings.js",
    "player.js",
    "ground.js",
    "scrub.js",
    "modes.js",
    "trajectories.js",
    "overview.js",
    "convergence-table.js",
    "convergence.js",
    "profiles.js",
    "compared.js",
    "shares.js",
    "standings.js",
    "heatmap.js",
    "endings.js",
    "comparison.js",
    "sensitivity.js",
    "tunability.js",
    "diagnostics.js",
    "bounds.js",
    "bound_curves.js",
    "page.js",
)
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="generator" content="optbench {version}">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#figures">Skip to the figures</a>
<header><nav id="sections" aria-label="Sections"></nav><button id="theme" type="button"></button>
</header>
<main>
<div id="top">{top}</div>
<noscript><p class="warning">The figures need JavaScript.</p></noscript>
<p id="loading" role="status">Unpacking the figures ...</p>
<div id="body"><aside id="filters" aria-label="Filters"></aside><div id="figures"></div></div>
</main>
<footer>Made by optbench {version}; figures by Plotly.js (MIT).</footer>
<script type="text/plain" id="library">{library}</script>
<script type="text/plain" id="arrays">{arrays}</script>
<script type="application/json" id="facts">{facts}</script>
<script>{script}</script>
</body>
</html>
"""


def document(title: str, top: str, payload: Payload) -> str:
    """One HTML file.

    Args:
        title: of the window; escaped here.
        top: HTML above the figures.
        payload: what the scripts read.
    """
    return _PAGE.format(
        policy=POLICY,
        version=__version__,
        title=text(title),
        style=_static("page.css"),
        top=top,
        library=compressed(get_plotlyjs().encode()),
        arrays=payload.arrays,
        facts=payload.facts,
        script=script(),
    )


def script() -> str:
    """All scripts as one, in a scope of their own."""
    parts = "\n".join(_static(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _static(name: str) -> str:
    return resources.files("optbench.page").joinpath("static", name).read_text(encoding="utf-8")
