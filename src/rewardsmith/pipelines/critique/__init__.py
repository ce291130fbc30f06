"""Critiques in the work of commands: `training` (the stages of `--head cloud`), `written` (what a killed run keeps of its
critiques), `evaluating` (rewards and figures of any opened model), `settings` (of all).
"""
