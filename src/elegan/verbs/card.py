"""The model card: RUN/README.md."""

import shlex
from typing import Any

from elegan.evaluation.wording import went_back
from elegan.models import find

CARD = """\
# {name}

{sentence}

![samples](contact.png)

| | |
|---|---|
| model | `{model}`{preset}, elegan {version} |
| data | {data}, {shape}, {train:,} to train on; licence: {licence} |
| trained | {images:,} images shown, seed {seed}, {precision} |{returns}
| verdict | **{verdict}** |

## Use it

{use}

## What to know before you do

- Everything made with this generator is generated, and its files say so.  Whoever publishes them has to
  say so, too, where the law or decency asks for it.
- It can draw only what its {train:,} training images taught it, with their gaps and their bias.
- `report.html` shows how it was judged, beside the same figures for real data; `run.json` says everything
  that made it.
"""

DRAW = """\
```
elegan sample {quoted} --out samples.png --n 64{label}
```

```python
import elegan
gan = elegan.load({literal})
gan.sample(16, seed=0{python_label})
```"""
TRANSLATE = """\
```
elegan apply {quoted} photo.jpg more-photos/ --out translated{directions}
```

```python
import elegan
elegan.apply({literal}, "photo.jpg", out="translated")
```"""


def card(name: str, record: dict[str, Any], described: dict[str, Any], report: dict[str, Any]) -> str:
    """The card's text from run.json, generator.json and report.json."""
    data, first = record["data"], next(iter(described["classes"]), None)
    asks = described["conditional"] and first is not None
    sides = find(str(record["model"])).translations
    use = (TRANSLATE if sides else DRAW).format(
        quoted=shlex.quote(name),
        literal=repr(name),
        label=" --label all" if asks else "",
        python_label=f", label={first!r}" if asks else "",
        directions=f" --to {sides[-1]} --reconstruct" if len(sides) > 1 else "",
    )
    return CARD.format(
        name=name,
        use=use,
        sentence=report["sentence"]["en"],
        model=record["model"],
        preset=f" ({record['preset']})" if record["preset"] else "",
        version=record["elegan"],
        data=data["name"],
        shape="x".join(str(side) for side in data["shape"]),
        train=data["train"],
        licence=data["licence"],
        images=described["images"],
        seed=record["seed"],
        precision=record["precision"],
        returns="".join(f"\n| went back | {sentence} |" for sentence in went_back(report.get("returns", []))),
        verdict=report["verdict"],
    )
