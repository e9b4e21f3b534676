"""Self-consuming loops of image models: each generation is trained on images of the generations before it."""
