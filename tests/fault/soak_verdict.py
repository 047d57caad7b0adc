"""Whether a series of measurements grows."""

import math
import statistics

BLOCKS = 20
CERTAIN = 2.58  # standard deviations: 99 %


def blocks_of(series, count=BLOCKS):
    """Medians of equal parts of [(seconds, value), ...]: neighbours depend on each other, parts hardly do."""
    size = max(1, len(series) // count)
    parts = [series[start:start + size] for start in range(0, len(series) - size + 1, size)]
    return [(statistics.median(t for t, _ in part), statistics.median(v for _, v in part)) for part in parts]


def trend(series):
    """Slope for each second (Theil and Sen: the median of all slopes between two blocks), and how certain it is that there
    is one (Mann and Kendall: later blocks above earlier ones, in standard deviations)."""
    points = blocks_of(series)
    pairs = [(a, b) for i, a in enumerate(points) for b in points[i + 1:]]
    if len(points) < 5:
        return 0.0, 0.0
    slope = statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs)
    score = sum((b[1] > a[1]) - (b[1] < a[1]) for a, b in pairs)
    count = len(points)
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return slope, (score - (score > 0) + (score < 0)) / deviation


def grows(series, at_most):
    """True when it surely grows, and by more than `at_most` over the whole series."""
    slope, certainty = trend(series)
    span = series[-1][0] - series[0][0] if series else 0
    return certainty > CERTAIN and slope * span > at_most
