"""Visual autoregressive modelling: next-scale prediction of the tokens of a frozen multi-scale tokenizer.

Tian et al. 2024 (arXiv 2404.02905). An image is a pyramid of token maps, from 1 × 1 up; the transformer predicts a
whole map at once from the maps before it. Transformer, tokenizers, sampler and loss belong here.
"""
