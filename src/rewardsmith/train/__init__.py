"""Losses, the loop, schedules."""
