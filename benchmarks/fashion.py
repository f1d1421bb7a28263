"""KID, FD, coverage and conditioning of a class-conditional r3gan on Fashion-MNIST at 32x32 for 10 minutes of a CPU.

    python benchmarks/fashion.py DATA [--minutes 10] [--model r3gan] [--seed 0] [--out RUN]

DATA is a folder with the data set's four idx files.  Prints KID, FD, coverage and what the report says of
labels and memorisation, each with its null, as one JSON object: a point of the project's history.
"""

import argparse
import json
import tempfile
from datetime import date
from pathlib import Path

import elegan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--model", default="r3gan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=str(Path(tempfile.mkdtemp()) / "fashion"))
    asked = parser.parse_args()
    run = elegan.train(asked.model, data=asked.data, size=32, out=asked.out, minutes=asked.minutes, seed=asked.seed)
    last = json.loads((run.path / "log.jsonl").read_text().splitlines()[-1])
    point = {
        "date": date.today().isoformat(), "elegan": elegan.__version__, "model": asked.model, "seed": asked.seed,
        "images": last["images"], "seconds": round(last["seconds"]), "machine": run.record["machine"],
        "arithmetic": run.record["precision"], "verdict": run.verdict, "features": run.report["features"]["name"],
        **{name: brief(figure) for name, figure in run.report["fidelity"].items()},
        "memorisation": brief(run.report["memorisation"]["both"]),
        "agreement": brief(agreement) if (agreement := run.report.get("classes", {}).get("agreement")) else None,
    }  # fmt: skip
    print(json.dumps(point))


def brief(figure: dict[str, object]) -> dict[str, object]:
    return {name: figure[name] for name in ("value", "interval", "null", "n")}


if __name__ == "__main__":
    main()
