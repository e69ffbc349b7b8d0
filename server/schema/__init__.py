"""The shapes of objects, from the published v1.37 definitions: decoding checks, patches.

`definitions` holds the raw definitions, `types` compiles them into `nodes` on first use, `decode` turns a
client's JSON object into what is stored, `strategic`, `merge_patch` and `json_patch` apply patches.
Defaults and rules across fields are not here but in each kind's strategy (`server.registry`).
"""
