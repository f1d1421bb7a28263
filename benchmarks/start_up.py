"""How fast `elegan --help` answers and `import elegan` is done, and that torch stays out.

    python benchmarks/start_up.py

The exit status is 1 when a bar is missed, or torch is imported.
"""

import statistics
import subprocess
import sys
import time

RUNS = 9
IMPORT_BAR, ANSWER_BAR = 0.3, 1.0
"""Seconds: of importing elegan, beyond Python's own start; of a command, from its start to its end."""


def seconds(*command: str) -> float:
    """The median wall time of a command."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    """1 where a bar is missed, else 0."""
    bare = seconds(sys.executable, "-c", "pass")
    print(f"python -c pass          {bare:.3f} s")
    imported = seconds(sys.executable, "-c", "import elegan") - bare
    print(f"import elegan           {imported:.3f} s beyond it  (bar {IMPORT_BAR:g})")
    met = imported <= IMPORT_BAR
    for words in (["--help"], ["train", "--help"], ["models"]):
        answered = seconds(sys.executable, "-m", "elegan", *words)
        print(f"elegan {' '.join(words):16} {answered:.3f} s  (bar {ANSWER_BAR:g})")
        met = met and answered <= ANSWER_BAR
    check = "import elegan, sys; print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True).stdout.strip()
    print(f"torch imported with elegan: {loaded}")
    return int(not met or loaded != "False")


if __name__ == "__main__":
    sys.exit(main())
