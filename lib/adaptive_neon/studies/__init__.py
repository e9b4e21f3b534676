"""A study as a whole: configuration, plan of points and seeds, cost, the result in numbers, words and pictures.

Every formula lies in another package; what a study needs of a kind of model, it asks the model's family.
"""
