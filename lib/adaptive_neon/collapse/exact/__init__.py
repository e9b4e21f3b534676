"""Laws in closed form. Generation 1 is fitted to real data, and t counts fits: t = 0 is the truth."""
