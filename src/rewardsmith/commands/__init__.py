"""One file per command: its settings (`Config`), what it gives back (`Result`), and `run`.

A Config goes in, a Result comes out. The command line and `rs.*` call `run`; the work itself is in `pipelines`. Begin with
`evaluate`, which is short.
"""
