"""Pictures of any size in bounded memory: tile by tile, with frozen instance-norm statistics.

graph    a model's graph with its instance norms opened
moments  means and variances of parts, put together
plan     which tiles, and what each must read
run      all of it
"""

STATISTICS = ("quick", "exact")
"""What the norms go by: the picture shrunk to half a tile's pixels, or the whole of it."""
