"""How much a style flickers on video, measured, and what smooths it. Never imports torch.

`motion` makes frames of still photos with exactly known motion, `clips` reads those of a video,
`error` and `measure` say how much a picture differs from the one before it, moved likewise.
"""
