"""Raw rows → records; sources, splits, the built-in data. Nothing here knows torch.

Begin with `input.readers`, then `formats` and `loading.load`.
"""
