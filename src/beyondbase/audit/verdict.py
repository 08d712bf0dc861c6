"""Sharpened, expanded, both or undecided: the rule, its sentence, and what would settle an open question.

The rule looks at RL minus base in mean pass@k at k = 1 and at the largest k that both models have samples for, K.
Each question is answered from its paired 95 % interval over problems:

    yes   the whole interval lies above 0
    no    the whole interval lies below the margin (0.02 if not said otherwise), and either below 0 or on at least
          3 / margin problems (rule of three: a change that few problems carry whole may be missed by fewer)
    open  anything else

    verdict      better with one sample (k = 1)?      more within reach (k = K)?
    sharpened    yes                                  no
    expanded     no or open                           yes
    both         yes                                  yes
    undecided    anything else

"Within reach" means within K samples: a larger K can find what this one does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..measure import Crossing, Interval
from ..measure.agreement import estimator_variance
from ..measure.verdicts import RULE_OF_THREE

MARGIN = 0.02
MOST = 1 << 20  # the largest number of samples or problems that a forecast names
LARGEST_N = 1 << 13


@dataclass(frozen=True)
class Verdict:
    """`word` as in the table above, the two answers behind it, and one sentence for readers."""

    word: str
    sharper: str
    wider: str
    k: int
    margin: float
    sentence: str


def answer(low: float, high: float, problems: int, margin: float = MARGIN) -> str:
    """ "yes", "no" or "open" for an interval over `problems`, by the rule above."""
    if low > 0:
        return "yes"
    enough = high < 0 or problems * margin >= RULE_OF_THREE - 1e-9
    return "no" if high < margin and enough else "open"


def decide(one: Interval, reach: Interval, k: int, margin: float = MARGIN) -> Verdict:
    """The verdict from the intervals of RL - base at k = 1 and at the largest k; with k = 1 only it stays undecided."""
    sharper = answer(one.low, one.high, one.problems, margin)
    wider = answer(reach.low, reach.high, reach.problems, margin) if k > 1 else "open"
    word = {("yes", "no"): "sharpened", ("yes", "yes"): "both", ("no", "yes"): "expanded", ("open", "yes"): "expanded"}
    found = word.get((sharper, wider), "undecided")
    return Verdict(found, sharper, wider, k, margin, _sentence(found, sharper, wider, one, reach, k, margin))


def _sentence(word: str, sharper: str, wider: str, one: Interval, reach: Interval, k: int, margin: float) -> str:
    at_one = f"pass@1 {points(one)}"
    at_k = f"pass@{k} {points(reach)}"
    if k == 1:
        return f"Undecided: one sample a problem says nothing about reach ({at_one}); draw more samples."
    if word == "sharpened":
        what = "less" if reach.high < 0 else "no more"
        return f"Sharpened: RL is right more often with one sample ({at_one}) and reaches {what} with {k} ({at_k})."
    if word == "both":
        return f"Both: RL is right more often with one sample ({at_one}) and reaches more with {k} ({at_k})."
    if word == "expanded":
        return f"Expanded: RL reaches more with {k} samples ({at_k}); one sample is not shown to be better ({at_one})."
    if "open" in (sharper, wider):
        open_at = [(at, each) for at, state, each in ((1, sharper, one), (k, wider, reach)) if state == "open"]
        wide = " and ".join(f"k = {at}" for at, each in open_at if each.high >= margin)
        few = " and ".join(f"k = {at}" for at, each in open_at if each.high < margin)
        why = [f"the interval is too wide at {wide}"] if wide else []
        needed = int(np.ceil(RULE_OF_THREE / margin - 1e-9))
        why += [f"{one.problems} problems are too few to rule an effect out at {few}, {needed} would do"] if few else []
        return f"Undecided: {'; '.join(why)} ({at_one}; {at_k})."
    return f"Undecided: RL is better neither with one sample ({at_one}) nor with {k} ({at_k})."


def points(interval: Interval) -> str:
    """ "+16.5 points [+14.0, +19.1]"."""
    return f"{signed(interval.effect)} points [{signed(interval.low)}, {signed(interval.high)}]"


def signed(share: float) -> str:
    """A difference of shares in points with its sign, "+16.5"; what rounds to nothing is "+0.0"."""
    return f"{round(100 * float(share), 1) + 0.0:+.1f}"


def crossing_words(found: Crossing) -> str:
    """The crossing and its confidence set, or that there is none and where one may be all the same."""
    if found.k is None and found.possible and found.low is None and found.high is None:
        return f"no crossing ({found.state}); one at any k would be compatible with the samples"
    return str(found)


@dataclass(frozen=True)
class Forecast:
    """What would close one open question, the effect staying as it is: samples a problem, or problems.

    None where no number up to 8192 samples, or about a million problems, would.
    """

    k: int
    samples: int | None
    problems: int | None
    words: str


def forecast(base: tuple, rl: tuple, k: int, interval: Interval, margin: float = MARGIN) -> Forecast:
    """How many samples a problem (same problems), or problems (same samples), would close the question at `k`.

    The variance of the mean difference is V = between problems + sampling. The sampling part S(n) is the exact variance
    of the unbiased estimator (`measure.agreement.estimator_variance`) at p = (c + 1/2) / (n + 1); with m samples V
    becomes V - S(n) + S(m), never below a tenth of it, with P' problems V P / P'. The first m (doubling) and P' (steps
    of a quarter) whose interval at the observed effect answers yes or no are named. A forecast, not a promise: the
    effect will move too.
    """
    size = len(base[0])
    variance = interval.variance_seeds + interval.variance_problems + interval.variance_rest
    now = sum(_sampling(n, c, None, k) for n, c in (base, rl))
    critical = stats.t.ppf((1 + interval.level) / 2, size - 1)

    def closed(spread: float, problems: int) -> bool:
        half = critical * np.sqrt(spread)
        return answer(interval.effect - half, interval.effect + half, problems, margin) != "open"

    n = int(min(base[0].min(), rl[0].min()))
    samples = problems = None
    m = 2 * n
    while samples is None and m <= LARGEST_N and k > 0:
        later = sum(_sampling(each, c, m, k) for each, c in (base, rl))
        samples = m if closed(max(variance - now + later, 0.1 * variance), size) else None
        m *= 2
    more = size
    while problems is None and more < MOST:
        more = int(np.ceil(1.25 * more))
        problems = more if closed(variance * size / more, more) else None
    return Forecast(k, samples, problems, _forecast_words(k, n, size, samples, problems))


def _sampling(n: np.ndarray, c: np.ndarray, later: int | None, k: int) -> float:
    """Variance of one model's mean pass@k that its samples make, now or with `later` samples a problem."""
    sizes = n if later is None else np.full_like(n, later)
    logp = np.log((c + 0.5) / (n + 1))
    total = 0.0
    for size in np.unique(sizes):
        values, times = np.unique(logp[sizes == size], return_counts=True)
        total += float(estimator_variance(values, int(size), k) @ times)
    return total / len(n) ** 2


def _forecast_words(k: int, n: int, size: int, samples: int | None, problems: int | None) -> str:
    ways = []
    if samples:
        ways.append(f"about {samples} samples a problem instead of {n} ({samples - n} more), on the same problems")
    if problems:
        ways.append(f"about {problems} problems instead of {size}, with the same samples")
    alone = "" if samples else f"; up to {LARGEST_N} samples on the same problems would not"
    if not ways:
        return f"k = {k}: no number of samples up to {LARGEST_N}, or of problems up to a million, would settle it"
    return f"k = {k}: {', or '.join(ways)}, would settle it if the difference stays as it is{alone}"
