"""How good the point-anomaly core is on series like NAB's. Run it: `python -m tests.bench.points`.

Generated series (tests/bench/nab_standin.py), scored as the Numenta Anomaly Benchmark does (tests/bench/nab.py, standard profile), beside
detectors whose scores on NAB itself are published: if they come out here as they do there, the stand-in is worth something.

- *windowed Gaussian* (NAB: 39.6): how far a value is from the mean of the last 6,400, in standard deviations;
- *relative entropy* (NAB: 54.6): Wang et al., "Statistical techniques for online anomaly detection in data centers", IM 2011: histograms of
  the last 52 values, compared with all kinds of histogram seen before;
- *KNN-CAD* (NAB: 58.0): Burnaev and Ishimtsev, "Conformalized density- and distance-based anomaly detection in time-series data", 2016.

Thresholds: the best one for all series, as NAB does it; for the core also the fixed 0.5. Weights and limits were chosen on
seeds 1 to 5, 101 to 104 and 110 to 116; seeds 105 to 107, 117 to 119, 911 to 913, 921 to 923 and 931 to 936 have been looked at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from math import erfc, sqrt

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2

from agents.detectors.points import PointDetector, graded
from tests.bench import smoke
from tests.bench.nab import Array, Labelled, Result, evaluate, probation
from tests.bench.nab_standin import corpus


def core(series: Labelled) -> Array:
    detector = PointDetector()
    values = zip(series.times.tolist(), series.values.tolist(), strict=True)
    return np.array([graded(detector, time, value) for time, value in values])


def windowed_gaussian(series: Labelled, *, size: int = 6_400, step: int = 100) -> Array:
    """The window grows to ``size``, then moves by ``step``."""
    values = series.values
    sums, squares = np.concatenate([[0.0], np.cumsum(values)]), np.concatenate([[0.0], np.cumsum(values**2)])
    scores = np.zeros(len(values))
    for at in range(1, len(values)):
        first = 0 if at <= size else (at - size) // step * step
        last = at if at <= size else first + size
        mean = (sums[last] - sums[first]) / (last - first)
        deviation = sqrt(max((squares[last] - squares[first]) / (last - first) - mean**2, 0.0))
        scores[at] = 1 - 0.5 * erfc(abs(values[at] - mean) / max(deviation, 1e-6) / sqrt(2))
    return scores


def knn_cad(series: Labelled, *, neighbours: int = 27, dimension: int = 19) -> Array:
    """Distances between windows of ``dimension`` values to their nearest neighbours, judged by those of the recent past."""
    values, wait = series.values, probation(len(series.values))
    scores, rest = np.zeros(len(values)), 0
    windows = np.lib.stride_tricks.sliding_window_view(values, dimension)
    training, calibration = list(range(wait - dimension)), list[int]()
    shape, recent = np.eye(dimension), list[float]()

    def strangeness(window: int, skip: int = 0) -> float:
        difference = windows[training] - windows[window]
        distance = np.einsum("ij,ij->i", difference @ shape, difference)
        return float(np.partition(distance, neighbours + skip)[: neighbours + skip].sum())

    for at in range(wait, len(values)):
        if at % wait in (0, wait // 2):
            shape = np.linalg.pinv(windows[training].T @ windows[training])
        if not recent:
            recent = [strangeness(window, 1) for window in training]
        new = strangeness(at - dimension + 1)
        share = sum(old < new for old in recent) / len(recent)
        if at >= 2 * wait:
            training = [*training[1:], calibration.pop(0)]
        calibration.append(at - dimension + 1)
        recent = [*recent[1:], new]
        scores[at] = 0.5 if rest > 0 else share
        rest = rest - 1 if rest > 0 else wait // 5 if share > 0.9965 else 0
    return scores


def relative_entropy(series: Labelled, *, bins: int = 5, size: int = 52) -> Array:
    """A histogram is new if it differs from each known one (likelihood ratio, 1%). Its range is the file's, which NAB tells detectors."""
    values, scores = series.values, np.zeros(len(series.values))
    low, high = float(values.min()), float(values.max())
    if low == high:
        return scores
    slots = np.eye(bins)[np.minimum(np.ceil((values - low) / ((high - low) / bins)).astype(int), bins - 1)]
    shares = np.lib.stride_tricks.sliding_window_view(slots, size, axis=0).mean(axis=2)
    known, limit = shares[:1], float(chi2.isf(0.01, bins - 1))
    for at, now in enumerate(shares[1:], size):
        with np.errstate(divide="ignore", invalid="ignore"):
            differ = 2 * size * np.where(now > 0, now * np.log(now / known), 0.0).sum(axis=1)
        if differ.min() >= limit:
            scores[at], known = 1.0, np.vstack([known, now])
    return scores


METHODS: dict[str, Callable[[Labelled], Array]] = {
    "mirante": core,
    "windowed Gaussian": windowed_gaussian,
    "relative entropy": relative_entropy,
    "KNN-CAD": knn_cad,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="sets of 58 series (default 3)")
    parser.add_argument("--seed", type=int, default=901, help="first seed (default 901)")
    parser.add_argument("--scale", type=float, default=1.0, help="length of the long series, as a share of NAB's (default 1)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    args = smoke.parse(parser, seeds=1, scale=0.1, methods=["mirante", "windowed Gaussian"], workers=1)
    console = Console(width=140)
    sets = [corpus(args.seed + n, scale=args.scale) for n in range(args.seeds)]
    every = [Labelled(f"{s.family}/{n}/{s.name}", s.times, s.values, s.windows) for n, found in enumerate(sets) for s in found]
    table = Table(title=f"{len(every)} series, {sum(len(s.values) for s in every):,} values, {sum(len(s.windows) for s in every)} windows")
    for column in ("method", "score", "of each set", "windows found", "false positives", "threshold", "at 0.5", "µs per value"):
        table.add_column(column, justify="left" if column == "method" else "right")
    families: dict[str, dict[str, Result]] = {}
    with ProcessPoolExecutor(args.workers) as pool:
        for name in args.methods:
            began = time.monotonic()
            scores = dict(zip([s.name for s in every], pool.map(METHODS[name], every, chunksize=4), strict=True))
            took = (time.monotonic() - began) * args.workers / sum(len(s.values) for s in every)
            best, half = evaluate(scores, every), evaluate(scores, every, 0.5)
            groups = [[s for s in every if s.name.split("/")[1] == str(n)] for n in range(args.seeds)]
            each = " ".join(f"{evaluate(scores, group).score:.0f}" for group in groups)
            fixed = f"{half.score:.1f}" if name == "mirante" else ""
            table.add_row(
                name, f"{best.score:.1f}", each, f"{best.found}/{best.windows}", str(best.false_positives), f"{best.threshold:.4g}", fixed,
                f"{took * 1e6:.0f}",
            )  # fmt: skip
            for family in dict.fromkeys(s.family for s in every):
                members = [s for s in every if s.family == family]
                families.setdefault(family, {})[name] = evaluate(scores, members, best.threshold)
    console.print(table)
    parts = Table(title="windows found and false positives, at each method's threshold")
    parts.add_column("family")
    for name in args.methods:
        parts.add_column(name, justify="right")
    for family, results in families.items():
        parts.add_row(family, *(f"{r.found}/{r.windows}, {r.false_positives}" for r in results.values()))
    console.print(parts)


if __name__ == "__main__":
    main()
