"""The models of a loop: each fits data, draws data, and says how its sampler departs from what was fitted.

Arrays begin with the seeds, [S, …]: all repetitions of a loop advance together.
"""
