"""Comparisons → how far simple features predict their labels. Begin with `measure`."""
