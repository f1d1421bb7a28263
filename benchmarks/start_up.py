"""Gate 5: how fast `elegan --help` answers and `import elegan` is done, and that torch stays out.

python benchmarks/start_up.py
"""

import statistics
import subprocess
import sys
import time

RUNS = 9


def seconds(*command: str) -> float:
    """The median wall time of a command."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    bare = seconds(sys.executable, "-c", "pass")
    print(f"python -c pass          {bare:.3f} s")
    print(f"import elegan           {seconds(sys.executable, '-c', 'import elegan') - bare:.3f} s beyond it  (bar 0.3)")
    for words in (["--help"], ["train", "--help"], ["models"]):
        print(f"elegan {' '.join(words):16} {seconds(sys.executable, '-m', 'elegan', *words):.3f} s  (bar 1)")
    check = "import elegan, sys; print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True).stdout.strip()
    print(f"torch imported with elegan: {loaded}")


if __name__ == "__main__":
    main()
