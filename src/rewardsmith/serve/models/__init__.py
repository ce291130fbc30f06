"""The models of a server: texts → tokens under the scoring contract, tokens → rewards; several by name, replaced while they
serve. Begin with `served`.
"""
