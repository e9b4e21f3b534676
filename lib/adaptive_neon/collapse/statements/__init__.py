"""What the literature says of self-consuming loops, beside the exact law and a simulation with its standard error."""
