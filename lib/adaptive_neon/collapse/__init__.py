"""Self-consuming loops: models trained on what the last one made, and their exact laws.

`models` fit, draw and pool data for all seeds at once, through sufficient statistics where these are exact;
`regimes` say which data a generation is trained on; `loop` runs them; `exact` holds the laws in closed form;
`statements` sets what the literature says, the law and the simulation side by side. Neon's place in a loop is
`neon`.
"""
