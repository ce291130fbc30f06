"""`evaluate`: whatever gives rewards and preference data in, figures with intervals beside the baselines out.

Begin with `pipeline`. `reading` says which records are judged, and by which attribute; `evaluation` turns rewards into the
arrays and files that diagnosis and comparison read; `by_source` is for rewards files, judges and critiques, `steps` for
models that judge the steps of solutions.
"""
