"""What a process of the workflow does around its work: log, locks, GPUs, files, rolling checkpoints, times.

Nothing here knows what the work is.
"""
