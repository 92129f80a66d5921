"""Compares the losses in two lines of the digits example; exit status 1 where they differ by more than rounding in f32 explains.

Sixty epochs of training let rounding errors grow: the first epoch agrees to a few units of the last place printed, the last to 1 %.
"""

import re
import sys

numbers = [[float(word) for word in re.findall(r"\d+\.\d+", line)] for line in sys.argv[1:]]
allowed = (1e-5, 1e-2)
differences = [abs(here - there) / here for here, there in zip(*numbers)]
for what, difference, limit in zip(("first", "last"), differences, allowed):
    print(f"{what} epoch: relative difference {difference:.1e}, allowed {limit:.0e}")
sys.exit(len(differences) != 2 or any(d > limit for d, limit in zip(differences, allowed)))
