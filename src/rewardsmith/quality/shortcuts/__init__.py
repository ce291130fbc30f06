"""Comparisons → how well simple features predict their labels. Begin with `measure`."""
