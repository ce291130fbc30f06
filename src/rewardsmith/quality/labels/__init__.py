"""Comparisons → the share of wrong labels, and the labels that are probably wrong. Begin with `noise`."""
