"""The model card: RUN/README.md."""

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
elegan sample {name} --out samples.png --n 64{label}
```

```python
import elegan
gan = elegan.load("{name}")
gan.sample(16, seed=0{python_label})
```

## What to know before you do

- Everything made with this generator is generated, and its files say so.  Whoever publishes them has to
  say so, too, where the law or decency asks for it.
- It can draw only what its {train:,} training images taught it, with their gaps and their bias.
- `report.html` shows how it was judged, beside the same figures for real data; `run.json` says everything
  that made it.
"""


def card(name: str, record: dict[str, Any], report: dict[str, Any]) -> str:
    """The card's text from run.json and report.json."""
    data, classes = record["data"], record["data"]["classes"]
    conditional = bool(classes) and record["config"].get("conditional", record["model"] == "cgan")
    return CARD.format(
        name=name,
        sentence=report["sentence"]["en"],
        model=record["model"],
        preset=f" ({record['preset']})" if record["preset"] else "",
        version=record["elegan"],
        data=data["name"],
        shape="x".join(str(side) for side in data["shape"]),
        train=data["train"],
        licence=data["licence"],
        images=record["budget"]["images"],
        seed=record["seed"],
        precision=record["precision"],
        verdict=report["verdict"],
        label=" --label all" if conditional else "",
        python_label=f', label="{classes[0]}"' if conditional else "",
    )
