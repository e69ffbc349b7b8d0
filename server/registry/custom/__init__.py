"""Custom resources: what a CustomResourceDefinition says, and the kinds that it makes.

`definition` reads a definition, `validation` and its neighbours check it, `names` and `lifecycle` keep its
status, `kinds` makes the served kinds from it, whose behaviour is in `strategy`. The schemas' rules are in
`server.schema.custom`.
"""
