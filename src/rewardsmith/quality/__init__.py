"""Checks on texts and records: findings out."""
