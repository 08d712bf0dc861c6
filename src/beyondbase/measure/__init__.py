"""pass@k and everything statistical: estimates, intervals, crossings, verdicts. numpy and scipy only.

Values are arrays with the axes (k, seeds, problems), as far as they have them.
"""

from beyondbase.measure.agreement import Agreement, agreement_with_exact
from beyondbase.measure.crossing import Crossing, crossing
from beyondbase.measure.intervals import Bands, Interval, interval_of_levels, paired_interval, paired_intervals
from beyondbase.measure.passk import (
    compare_pass_at_k,
    k_grid,
    mean_pass_at_k_fraction,
    pass_at_k,
    pass_at_k_fraction,
    pass_at_k_from_logp,
)
from beyondbase.measure.verdicts import Judgement, combine, control_verdict, verdict

__all__ = [
    "Agreement",
    "Bands",
    "Crossing",
    "Interval",
    "Judgement",
    "agreement_with_exact",
    "combine",
    "compare_pass_at_k",
    "control_verdict",
    "crossing",
    "interval_of_levels",
    "k_grid",
    "mean_pass_at_k_fraction",
    "paired_interval",
    "paired_intervals",
    "pass_at_k",
    "pass_at_k_fraction",
    "pass_at_k_from_logp",
    "verdict",
]
