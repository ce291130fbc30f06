"""Comparisons → the share of wrong labels, and which they probably are. Begin with `noise`."""
