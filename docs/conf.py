"""Sphinx: `make docs` builds these pages, with the public Python interface, into docs/_build."""

import elegan

project, author, release = "elegan", "the elegan authors", elegan.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"elegan {release}"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
suppress_warnings = ["myst.xref_missing"]
