"""The model card: RUN/README.md."""

import shlex
from typing import Any

CARD = """\
# {name}

{sentence}

![samples](contact.png)

| | |
|---|---|
| model | `{model}`{preset}, elegan {version} |
| data | {data}, {shape}, {train:,} to train on; licence: {licence} |
| trained | {images:,} images shown, seed {seed}, {precision} |
| verdict | **{verdict}** |

## Use it

```
elegan sample {quoted} --out samples.png --n 64{label}
```

```python
import elegan
gan = elegan.load({literal})
gan.sample(16, seed=0{python_label})
```

## What to know before you do

- Everything made with this generator is generated, and its files say so.  Whoever publishes them has to
  say so, too, where the law or decency asks for it.
- It can draw only what its {train:,} training images taught it, with their gaps and their bias.
- `report.html` shows how it was judged, beside the same figures for real data; `run.json` says everything
  that made it.
"""


def card(name: str, record: dict[str, Any], described: dict[str, Any], report: dict[str, Any]) -> str:
    """The card's text from run.json, generator.json and report.json."""
    data, first = record["data"], next(iter(described["classes"]), None)
    asks = described["conditional"] and first is not None
    return CARD.format(
        name=name,
        quoted=shlex.quote(name),
        literal=repr(name),
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
        verdict=report["verdict"],
        label=" --label all" if asks else "",
        python_label=f", label={first!r}" if asks else "",
    )
