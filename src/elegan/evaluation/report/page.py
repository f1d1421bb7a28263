"""The page's frame and its files.  Nothing is fetched from anywhere, and nothing in it runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

from elegan.errors import UserError
from elegan.evaluation.report.markup import html
from elegan.evaluation.report.style import STYLE
from elegan.files import write_atomically
from elegan.json_values import as_json

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
$label<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
""")


def write_pages(folder: Path, name: str, content: object, title: str, body: Sequence[str]) -> None:
    """NAME.json and NAME.html.  Raises UserError when the folder can't be written."""
    data = json.dumps(as_json(content), indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    said = content.get("provenance") if isinstance(content, dict) else None
    label = f'<meta name="provenance" content="{html(json.dumps(said, ensure_ascii=False))}">\n' if said else ""
    text = PAGE.substitute(label=label, title=html(title), style=STYLE, body="\n".join(body)).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{name}.json", data)
        write_atomically(folder / f"{name}.html", text)
    except OSError as error:
        raise UserError(f"The report can't be written into {folder}: {error.strerror or error}.") from error
