"""What a generated answer says, by a strict grammar (docs/judges.md): `statements` finds where the verdict stands, `scores`,
`choices` and `rankings` read it, `answer` puts both together. What is not stated is a problem with a name, never a guess.
"""
