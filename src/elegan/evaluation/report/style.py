"""How the page looks: on paper, by day and by night, on a wide screen and on a telephone."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f26; --faint: #626c7c; --line: #e4e7ec; --card: #f6f7f9;
  --good: #17784c; --ill: #b42318; --open: #8a5a00; --accent: #2f6bd0; --real: #3b76d6; --fake: #e07b39;
  --good-wash: #eaf6f0; --ill-wash: #fdf0ee; --open-wash: #fcf5e6; --shade: #9aa4b2 }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --ink: #e8eaed; --faint: #9ba4b3; --line: #2b2f37;
  --card: #1c1f25; --good: #5cc796; --ill: #ff8a7a; --open: #e9b955; --accent: #82aef5; --good-wash: #16241e;
  --ill-wash: #2a1a19; --open-wash: #282115; --shade: #6b7482 } }
* { box-sizing: border-box }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5; font-size: 16px;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR", "Noto Sans CJK KR",
  "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; -webkit-print-color-adjust: exact; print-color-adjust: exact }
main { max-width: 1060px; margin: 0 auto; padding: 1.6rem 1.5rem 5rem }
h1 { font-size: 2.1rem; line-height: 1.15; margin: .15rem 0 .7rem; letter-spacing: -.02em; font-weight: 700 }
h2 { font-size: 1.22rem; margin: 0 0 .5rem; letter-spacing: -.01em } h3 { font-size: .95rem; margin: 1.2rem 0 .5rem }
main > section:not(.verdict) { margin-top: 2.6rem }
section[id] { padding-top: 1.3rem; border-top: 1px solid var(--line) }
p { margin: .4rem 0 } small, figcaption, .faint { color: var(--faint); font-size: .86rem } small { font-size: .8rem }
a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .86em; overflow-wrap: anywhere }
.how { color: var(--faint); font-size: .9rem; max-width: 78ch; margin: 0 0 1.1rem }
.how > b:first-child { color: var(--ink); font-weight: 600; margin-right: .35em }
.real { color: var(--real) } .fake { color: var(--fake) }

.verdict { border-radius: 14px; padding: 1.4rem 1.7rem 1.3rem; --tone: var(--open); background: var(--open-wash);
  border-top: 5px solid var(--tone) }
.verdict.good { --tone: var(--good); background: var(--good-wash) }
.verdict.ill { --tone: var(--ill); background: var(--ill-wash) }
.verdict h1 { color: var(--tone); display: flex; flex-wrap: wrap; align-items: center; gap: .3em .5em }
.code { font-size: .78rem; font-weight: 600; letter-spacing: .04em; border: 1px solid currentColor; border-radius: 99px;
  padding: .16em .8em; line-height: 1.4 }
.eyebrow { color: var(--faint); font-size: .88rem; margin: 0 } .lead { max-width: 88ch; margin: .35rem 0 }
.lead { font-size: 1.06rem } .lead:lang(ko) { color: var(--faint); font-size: .93rem; word-break: keep-all }
.gauges { display: grid; grid-template-columns: repeat(auto-fit, minmax(215px, 1fr)); gap: .9rem; margin: 1.1rem 0 }
.gauge { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: .75rem .95rem;
  --tone: var(--open); min-width: 0 }
.gauge.plain { --tone: var(--accent) } .gauge.good { --tone: var(--good) } .gauge.ill { --tone: var(--ill) }
.gauge p { margin: 0 } .gauge .asks { font-size: .88rem; font-weight: 600; line-height: 1.3 }
.gauge .number { font-size: 1.55rem; font-weight: 700; color: var(--tone); letter-spacing: -.02em; line-height: 1.35;
  font-variant-numeric: tabular-nums }
.gauge .said { color: var(--faint); font-size: .8rem; line-height: 1.45 } .gauge .said b { font-weight: 600 }
.gauge svg { display: block; width: 100%; height: auto; margin: .1rem 0 .3rem; overflow: visible }
.axis { stroke: var(--line); stroke-width: 2 } .band { fill: var(--shade); fill-opacity: .28 }
.null { stroke: var(--shade); stroke-width: 2 } .reach { stroke: var(--tone); stroke-width: 3; stroke-linecap: round }
.dot { fill: var(--tone); stroke: var(--paper); stroke-width: 2 }
.gauges.probes { grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)) }
.probe .gauge { height: auto } .probe > .faint { margin: .4rem .2rem }
.strips { display: flex; flex-wrap: wrap; gap: .45rem 1.6rem }
.strip { display: grid; grid-template-columns: 4.2rem 1fr; align-items: center; gap: .6rem; flex: 1 1 100% }
.strip span { font-size: .85rem; color: var(--faint); text-align: right }
.strip img { width: 100%; height: auto; display: block; border-radius: 6px; background: #fff }
.strip.square { flex: 0 1 300px }
.next ol { margin: 0; padding-left: 1.3rem } .next li { margin: .3rem 0 } .next ol:lang(ko) { color: var(--faint);
  word-break: keep-all } .next ol li:first-child { font-weight: 600; color: var(--ink) }
.also ul, .findings { padding-left: 1.2rem; margin: .3rem 0 } .also li, .findings li { margin: .3rem 0 }
nav { margin-top: 1.6rem; font-size: .88rem; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; color: var(--faint) }

.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1.4rem; align-items: start }
figure { margin: 0 0 1rem } figure img { max-width: 100%; height: auto; border-radius: 8px; display: block;
  background: #fff } .two figure img { width: 100% } figcaption { margin-top: .35rem }
figure svg { width: 100%; height: auto; display: block }
.albums { display: flex; flex-wrap: wrap; gap: 0 2.4rem; margin-bottom: 1.4rem }
.album { display: flex; flex-wrap: wrap; gap: .8rem } .album figure { margin: 0; width: 92px }
.album img { width: 92px; image-rendering: auto } .album figcaption { font-size: .76rem; line-height: 1.3 }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 1rem 1.2rem }

.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .9rem }
th { text-align: left; font-weight: 600; color: var(--faint); font-size: .8rem; vertical-align: bottom }
td, th { padding: .42rem .9rem .42rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td:first-child { min-width: 9.5rem }
th.group { color: var(--ink); font-size: .92rem; padding-top: 1.15rem }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.number small { display: block; line-height: 1.35 } td > small { line-height: 1.35; display: inline-block }
td:last-child, th:last-child { padding-right: 0 }
.mark { display: inline-block; width: .62em; height: .62em; border-radius: 50%; margin-right: .5em;
  background: var(--open) } .mark.good { background: var(--good) } .mark.ill { background: var(--ill) }
td.wins { font-weight: 700; color: var(--good) }

.bars { margin: .4rem 0 1.4rem; column-gap: 2.4rem } .bars.many { columns: 2 }
.bar { display: grid; grid-template-columns: minmax(4rem, 9rem) 1fr 13.2rem; gap: .7rem; align-items: center;
  font-size: .86rem; padding: .16rem 0; break-inside: avoid; --tone: var(--real) }
.many .bar { grid-template-columns: minmax(3rem, 8.5rem) 1fr 4rem } .many .bar .number small { display: none }
.bar.missing { --tone: var(--ill) } .bar.scarce { --tone: var(--open) } .bar.overdone { --tone: #8e5bc4 }
.bar .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: right }
.bar.missing .name, .bar.scarce .name, .bar.overdone .name { font-weight: 600; color: var(--tone) }
.track { position: relative; height: 15px; background: var(--card); border-radius: 4px }
.track i { position: absolute; display: block } .track .fill { inset: 0 auto 0 0; background: var(--tone); opacity: .55;
  border-radius: 4px } .track .reach { top: 6.5px; height: 2px; background: var(--ink) }
.track .fair { top: -3px; bottom: -3px; width: 2px; margin-left: -1px; background: var(--ink) }
.bar .number { font-variant-numeric: tabular-nums; white-space: nowrap }
td code { white-space: nowrap; font-size: .78em } .option { white-space: nowrap; font-size: .92em }
#classes td.number small { display: inline }
details summary { cursor: pointer; color: var(--accent) } details .scroll { margin-top: .6rem }

@media (max-width: 680px) { main { padding: .8rem .8rem 3rem } .two { grid-template-columns: 1fr }
  h1 { font-size: 1.6rem } .verdict { padding: 1rem 1rem .9rem; border-radius: 12px }
  .gauges { grid-template-columns: 1fr; gap: .6rem } .bars.many { columns: 1 }
  .strip { grid-template-columns: 1fr; gap: .15rem } .strip span { text-align: left }
  .bar, .many .bar { grid-template-columns: 5.5rem 1fr 4rem; gap: .5rem } .bar .number small { display: none } }
@media print { body { font-size: 10pt; background: #fff } main { padding: 0; max-width: none } nav { display: none }
  h2 { break-after: avoid } figure, tr, .gauge, .verdict, .bar, .strip { break-inside: avoid }
  main > section:not(.verdict) { margin-top: 1.4rem } .scroll { overflow: visible } a { color: inherit } }
"""
