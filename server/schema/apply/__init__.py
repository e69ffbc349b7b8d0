"""Who owns which field: field sets, what a write changed, and the merge of applied configurations.

Pure functions on objects and their compiled types (`schema.nodes`). A set of fields is the dict that the API
calls FieldsV1 (`field_set`), so nothing is parsed or encoded on the way. The entries of managedFields are the
registry's affair.
"""
