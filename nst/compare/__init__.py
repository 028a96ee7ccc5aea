"""The fast network against the slow optimiser, on the same photos and the same perceptual loss.

`session` measures and yields records; `curves` and `summary` say what they mean; `report_json`,
`report_html` and `report_text` write it down.
"""
