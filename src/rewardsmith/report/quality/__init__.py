"""The page on the quality of data, from quality.json. Begin with `page`."""
