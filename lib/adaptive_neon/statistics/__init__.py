"""Statistics: the jackknife, intervals, paired differences, replicas and verdicts, on plain numbers.

What the numbers measure belongs in `evaluation`; what is concluded for a study, in `studies`.
"""
