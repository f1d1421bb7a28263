"""The report's page: its frame and its style.  Nothing is fetched from anywhere."""

from string import Template

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2127; --faint: #667085; --line: #e3e6eb;
  --card: #f6f7f9; --good: #18794e; --ill: #b42318; --open: #8a5a00; --accent: #3b76d6; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e7e9ec; --faint: #9aa3b2;
  --line: #2c3038; --card: #1f2228; --good: #5cc796; --ill: #ff8a7a; --open: #e5b454; --accent: #7aa7f0; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR", "Apple SD Gothic Neo",
  "Malgun Gothic", sans-serif; font-size: 16px }
main { max-width: 960px; margin: 0 auto; padding: 2rem 1.25rem 4rem }
h1 { font-size: 2rem; line-height: 1.15; margin: .2rem 0 .8rem; letter-spacing: -.01em }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .8rem; padding-top: 1rem; border-top: 1px solid var(--line) }
p { margin: .4rem 0 } .faint, figcaption, small { color: var(--faint); font-size: .88rem }
.verdict { background: var(--card); border-radius: 12px; padding: 1.3rem 1.5rem;
  border-left: 6px solid var(--open) }
.verdict.good { border-color: var(--good) } .verdict.ill { border-color: var(--ill) }
.good h1 { color: var(--good) } .ill h1 { color: var(--ill) } .open h1 { color: var(--open) }
.verdict p { max-width: 70ch }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem; align-items: start }
@media (max-width: 640px) { .pair { grid-template-columns: 1fr } }
figure { margin: 0 0 1rem } figure img { width: 100%; height: auto;
  border-radius: 6px; display: block; background: #fff } figcaption { margin-top: .35rem }
figure svg { width: 100%; height: auto; display: block }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .92rem }
th { text-align: left; font-weight: 600; color: var(--faint); font-size: .82rem; vertical-align: bottom }
td, th { padding: .38rem .7rem .38rem 0; border-bottom: 1px solid var(--line) }
td { vertical-align: top } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap }
td.number:last-child, th.number:last-child { padding-right: 0 }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .86em; overflow-wrap: anywhere }
details summary { cursor: pointer; color: var(--accent) }
.findings { padding-left: 1.2rem } .findings li { margin: .35rem 0 }
@media print { body { font-size: 11pt } main { padding: 0; max-width: none } h2 { break-after: avoid }
  figure, tr, .verdict { break-inside: avoid } .verdict { border: 1px solid var(--line); border-left-width: 6px } }
"""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
""")


def page(title: str, body: str) -> str:
    """The whole page; title and body are HTML already."""
    return PAGE.substitute(title=title, style=STYLE, body=body)
