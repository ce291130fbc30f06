"""Charts as inline SVG, drawn here: texts stay texts and colours are classes of the page. Begin with `plot`."""
