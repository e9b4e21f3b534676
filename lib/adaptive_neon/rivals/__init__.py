"""Rivals of Neon in a study: what else could be done with the same models, at what price and with what FID.

How models are compared belongs in `studies`; how one model guides another, in `families`.
"""
