"""Critiques in the work of commands: `training` (the stages of `--head cloud`), `written` (what a killed run keeps of its
critiques), `scoring` (records → rewards behind critiques), `settings` (of all).
"""
