"""Training: the loop over the loss of any family, its moving average and its state, in one process or several.

The loss itself, and what is a training image, belongs to the family.
"""
