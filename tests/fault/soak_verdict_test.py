"""The judge of ./dev soak, judged."""

import random
import unittest

from soak_verdict import grows, trend

MEGABYTE = 1 << 20


def series(slope, noise, seconds=600, seed=1, start=20 * MEGABYTE):
    dice = random.Random(seed)
    return [(t, start + slope * t + dice.gauss(0, noise)) for t in range(seconds)]


class Verdict(unittest.TestCase):
    def test_noise_does_not_grow(self):
        for seed in range(50):
            self.assertFalse(grows(series(0, MEGABYTE, seed=seed), MEGABYTE / 2), seed)

    def test_a_leak_shows_through_noise(self):
        for seed in range(50):
            self.assertTrue(grows(series(5_000, MEGABYTE, seed=seed), MEGABYTE / 2), seed)

    def test_steps_early_on_and_then_rest_are_no_leak_of_that_size(self):
        stairs = [(t, min(t // 60, 3) * 50_000) for t in range(600)]
        self.assertFalse(grows(stairs, MEGABYTE / 2))

    def test_too_little_says_nothing(self):
        self.assertEqual(trend(series(1e6, 0, seconds=3)), (0.0, 0.0))
        self.assertFalse(grows([], 1))


if __name__ == "__main__":
    unittest.main()
